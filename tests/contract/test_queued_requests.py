"""A function behind its real server, with one thread: what becomes of requests that queue there.

Who has gone is passed over, and events about one object that had all come before a look began need
no more than that look.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from functions.runtime.senders import GRAIN
from tests.contract.eventing_server import REPOSITORY
from tests.contract.processes import free_ports, running, until

pytestmark = pytest.mark.contract

SECONDS = 30.0
# No event, which any function refuses without looking at anything: 400.
REQUEST = (
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
    b"Connection: close\r\nContent-Length: 4\r\n\r\n"
)


EVENT = (REPOSITORY / "tests" / "events" / "reconcile-cluster.json").read_bytes()
EVENT_REQUEST = (
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/cloudevents+json\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(EVENT), EVENT)
)


class Empty(ThreadingHTTPServer):
    """An API server that has nothing, and knows what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HasNothing)
        self.asked: list[str] = []


class HasNothing(BaseHTTPRequestHandler):
    server: Empty

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = json.dumps({"kind": "Status", "code": 404, "reason": "NotFound"}).encode()
        self.send_response(404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def api_server() -> Iterator[Empty]:
    with Empty() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, api_server: Empty) -> Iterator[int]:
    """Where `observe` listens, as the Procfile starts it, with one thread."""
    (found,) = free_ports(1)
    folder = tmp_path_factory.mktemp("observe")
    (folder / "kubeconfig").write_text(_kubeconfig(api_server.server_port))
    command = [
        *("env", "THREADS=1", f"HOME={folder}", f"KUBECONFIG={folder / 'kubeconfig'}"),
        str(Path(sys.executable).parent / "functions-framework"),
        *("--target", "observe", "--source", "functions/observe.py"),
        *("--host", "127.0.0.1", "--port", str(found)),
    ]
    log = folder / "observe.log"
    with running(command, log, cwd=REPOSITORY):
        until(lambda: _answers(found), f"the function listens (see {log})")
        yield found


def _kubeconfig(port: int) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "me", "user": {}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
            "current-context": "it",
        }
    )


def test_a_request_whose_sender_has_gone_is_passed_over(port: int) -> None:
    with _connection(port) as first, _connection(port) as last:
        first.sendall(REQUEST)  # Its body is still to come: it holds the only thread.
        with _connection(port) as gone:
            gone.sendall(REQUEST + b"gone")
        last.sendall(REQUEST + b"last")
        first.sendall(b"text")
        assert [_status(first), _status(last)] == [400, 400]
    assert _counted(port) == {"400": 2, "503": 1}


def test_events_that_queue_cost_one_look(port: int, api_server: Empty) -> None:
    with ExitStack() as stack:
        first, *queued = (stack.enter_context(_connection(port)) for _ in range(6))
        first.sendall(REQUEST)  # Its body is still to come: it holds the only thread.
        for each in queued:
            each.sendall(EVENT_REQUEST)
        threading.Event().wait(5 * GRAIN)
        first.sendall(b"text")
        assert [_status(each) for each in (first, *queued)] == [400, *[204] * 5]
    (looked_at,) = api_server.asked
    assert looked_at.endswith("/namespaces/default/zookeeperclusters/small")
    with _connection(port) as later:
        later.sendall(EVENT_REQUEST)
        assert _status(later) == 204
    assert api_server.asked == [looked_at] * 2, "what comes later may tell of something newer"


def _connection(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), SECONDS)


def _answers(port: int) -> bool:
    with suppress(OSError), _connection(port):
        return True
    return False


def _status(connection: socket.socket) -> int:
    return int(connection.makefile("rb").readline().split()[1])


def _counted(port: int) -> dict[str, int]:
    with _connection(port) as asking:
        asking.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        told = asking.makefile("r").read()
    found = re.findall(r'^zookeeper_function_events_total{.*code="(\d+)".*} (\d+)$', told, re.M)
    return {code: int(count) for code, count in found if count != "0"}
