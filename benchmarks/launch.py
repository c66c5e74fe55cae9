"""Start functions one after the other, as in pods, and print what each start took.

It runs inside the platform's network: `python -m benchmarks.launch < JOB`. The job, in JSON, names
the rounds and for each function its event and its token; the answer is one JSON object a line.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.processes import memory_of_tree, processor_seconds_of_tree

SERVICE_ACCOUNT = Path("/run/secrets/kubernetes.io/serviceaccount")
INGRESS = "http://broker-ingress.knative-eventing.svc.cluster.local/zookeeper-functions/zookeeper"
ANSWER_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.002
SUCCESS = 204


class Failed(Exception):
    """A function did not do what is measured; says which one and how."""


def main() -> int:
    """Run the job: every round starts each function once, in turn."""
    job = json.load(sys.stdin)
    _mount_service_account(job["ca"])
    for _ in range(job["rounds"]):
        for function in job["functions"]:
            print(json.dumps(_launch(function)), flush=True)
    return 0


def _mount_service_account(ca: str) -> None:
    """Put the account where a kubelet does; /run is the platform's own and goes with it."""
    SERVICE_ACCOUNT.mkdir(parents=True, exist_ok=True)
    (SERVICE_ACCOUNT / "ca.crt").write_text(ca)


def _launch(function: dict[str, Any]) -> dict[str, Any]:
    (SERVICE_ACCOUNT / "token").write_text(function["token"])
    port = _free_port()
    began = time.monotonic()
    with _started(function, port) as process:
        status = _first_answer(process, port, function["event"].encode())
        seconds = time.monotonic() - began
        if status != SUCCESS:
            raise Failed(f"{function['name']} answers {status} instead of {SUCCESS}")
        processor = processor_seconds_of_tree(process.pid)
        memory = memory_of_tree(process.pid)
    return {
        "name": function["name"],
        "seconds": seconds,
        "processor": processor,
        "rss": memory.rss,
        "pss": memory.pss,
    }


@contextmanager
def _started(function: dict[str, Any], port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = ["functions-framework", *function["arguments"], f"--port={port}", "--host=127.0.0.1"]
    process = subprocess.Popen(
        [sys.executable, str(Path(sys.executable).parent / command[0]), *command[1:]],
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)


def _environment() -> dict[str, str]:
    """What a pod of ours has: the API server's address and the sink, and no kubeconfig."""
    kept = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    return {
        **kept,
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "K_SINK": INGRESS,
    }


def _first_answer(process: subprocess.Popen[bytes], port: int, event: bytes) -> int:
    """Send the event until somebody takes it; returns the status of the first answer."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failed(f"the function ended with {process.returncode} before it answered")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                pass
        except OSError:
            time.sleep(POLL_SECONDS)
        else:
            return _post(port, event)
    raise Failed(f"no answer within {ANSWER_SECONDS:.0f} s")


def _post(port: int, event: bytes) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/",
        data=event,
        headers={"Content-Type": "application/cloudevents+json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=ANSWER_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return int(refused.code)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
