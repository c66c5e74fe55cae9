"""A function behind its real server, with one thread: who has gone is passed over."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.contract.eventing_server import REPOSITORY
from tests.contract.processes import free_ports, running, until

pytestmark = pytest.mark.contract

SECONDS = 30.0
# No event, which any function refuses without looking at anything: 400.
REQUEST = (
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
    b"Connection: close\r\nContent-Length: 4\r\n\r\n"
)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where `observe` listens, as the Procfile starts it, with one thread."""
    (found,) = free_ports(1)
    log = tmp_path_factory.mktemp("observe") / "observe.log"
    command = [
        *("env", "THREADS=1", f"HOME={log.parent}"),
        str(Path(sys.executable).parent / "functions-framework"),
        *("--target", "observe", "--source", "functions/observe.py"),
        *("--host", "127.0.0.1", "--port", str(found)),
    ]
    with running(command, log, cwd=REPOSITORY):
        until(lambda: _answers(found), f"the function listens (see {log})")
        yield found


def test_a_request_whose_sender_has_gone_is_passed_over(port: int) -> None:
    with _connection(port) as first, _connection(port) as last:
        first.sendall(REQUEST)  # Its body is still to come: it holds the only thread.
        with _connection(port) as gone:
            gone.sendall(REQUEST + b"gone")
        last.sendall(REQUEST + b"last")
        first.sendall(b"text")
        assert [_status(first), _status(last)] == [400, 400]
    assert _counted(port) == {"400": 2, "503": 1}


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
