"""Parts of the platform itself: the API server, and the delivery of events."""

from __future__ import annotations

import json
import os
import signal
import ssl
import time
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any

from local.faults.errors import CannotFault
from local.platform.addresses import API_SERVER as API_ADDRESS
from local.platform.state import State

API_SERVER = "kube-apiserver"
DELIVERY = "http://10.244.0.1:8481/faults"
CALL_SECONDS = 10.0
END_SECONDS = 10.0
READY_SECONDS = 90.0
POLL_SECONDS = 0.05


def stop_api(state: State) -> None:
    """End the API server as a crash would, and wait until it is gone."""
    hold = state.hold_of(API_SERVER)
    hold.parent.mkdir(exist_ok=True)
    hold.touch()
    pid = _pid(state)
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + END_SECONDS
    while _pid(state):
        if time.monotonic() > deadline:
            raise CannotFault(f"the API server (process {pid}) does not end.")
        time.sleep(POLL_SECONDS)


def start_api(state: State) -> None:
    """Let it start again, and wait until it answers that it is ready."""
    state.hold_of(API_SERVER).unlink(missing_ok=True)
    deadline = time.monotonic() + READY_SECONDS
    while not _is_api_ready(state):
        if time.monotonic() > deadline:
            raise CannotFault(f"the API server is not ready after {READY_SECONDS:.0f} s.")
        time.sleep(POLL_SECONDS)


def _is_api_ready(state: State) -> bool:
    trust = ssl.create_default_context(cafile=str(state.keys / "ca.crt"))
    try:
        url = f"{API_ADDRESS}/readyz"
        with urllib.request.urlopen(url, timeout=CALL_SECONDS, context=trust) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def is_api_stopped(state: State) -> bool:
    return state.hold_of(API_SERVER).exists()


def _pid(state: State) -> int:
    return int(state.parts().get(API_SERVER, {}).get("pid", 0))


def drop_events(namespace: str) -> None:
    _delivery("POST", {"drop": True, "namespace": namespace})


def deliver_events() -> None:
    _delivery("DELETE")


def delivery() -> dict[str, Any]:
    """Return the fault of deliveries that is in force, and how many it touched."""
    return _delivery("GET")


def _delivery(method: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(DELIVERY, data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (urllib.error.URLError, OSError) as error:
        raise CannotFault(f"the platform's eventing does not answer: {error}") from error
