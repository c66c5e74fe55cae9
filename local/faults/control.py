"""Parts of the platform itself: the API server, the stores, and the delivery of events."""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from local.faults.errors import CannotFault
from local.platform.addresses import API_SERVER as API_ADDRESS
from local.platform.addresses import GATEWAY
from local.platform.state import State
from local.stores.place import PORTS, STORES

API_SERVER = "kube-apiserver"
DELIVERY = "http://10.244.0.1:8481/faults"
CALL_SECONDS = 10.0
END_SECONDS = 10.0
READY_SECONDS = 90.0
POLL_SECONDS = 0.05


def stop_api(state: State) -> None:
    """End the API server as a crash would, and wait until it is gone."""
    _stop(state, API_SERVER)


def start_api(state: State) -> None:
    """Let it start again, and wait until it answers that it is ready."""
    state.hold_of(API_SERVER).unlink(missing_ok=True)
    _wait_until_ready(lambda: _is_api_ready(state), "the API server")


def stop_stores(state: State) -> None:
    """End the object stores as a crash would; whoever connects is refused."""
    for store in STORES:
        _stop(state, store)


def start_stores(state: State) -> None:
    """Let them start again, and wait until they take connections."""
    for store in STORES:
        state.hold_of(store).unlink(missing_ok=True)
    for store in STORES:
        if store in state.parts():  # A platform may have been started without it.
            _wait_until_ready(functools.partial(_takes_connections, store), f"the store {store}")


def are_stores_stopped(state: State) -> bool:
    return any(state.hold_of(store).exists() for store in STORES)


def _stop(state: State, part: str) -> None:
    """Kill a part and wait until it is gone; it is held, so that it is not started again."""
    hold = state.hold_of(part)
    hold.parent.mkdir(exist_ok=True)
    hold.touch()
    pid = _pid(state, part)
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + END_SECONDS
    while _pid(state, part):
        if time.monotonic() > deadline:
            raise CannotFault(f"{part} (process {pid}) does not end.")
        time.sleep(POLL_SECONDS)


def _wait_until_ready(is_ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready():
        if time.monotonic() > deadline:
            raise CannotFault(f"{what} is not ready after {READY_SECONDS:.0f} s.")
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


def _pid(state: State, part: str) -> int:
    return int(state.parts().get(part, {}).get("pid", 0))


def _takes_connections(store: str) -> bool:
    try:
        with socket.create_connection((GATEWAY, PORTS[store]), timeout=CALL_SECONDS):
            return True
    except OSError:
        return False


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
        raise CannotFault(
            f"the platform's eventing does not answer: {error}. The real Knative Eventing "
            "(`up --eventing`) cannot be told to lose events."
        ) from error
