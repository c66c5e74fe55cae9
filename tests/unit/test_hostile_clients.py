"""Clients that mean harm to an agent: slow, huge or broken, and what the others notice of them."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.pods.connections import MOST_AT_ONCE, MOST_OF_ONE
from functions.pods.endpoints import (
    MOST_BODY_BYTES,
    MOST_HEAD_BYTES,
    Asked,
    Endpoints,
    Reply,
    showing,
)

SECONDS = 0.4


def _echo(asked: Asked) -> Reply:
    return Reply(asked.body().decode("latin-1"))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """An agent's HTTP with one path to look at and one that reads a body, and little patience."""
    paths = {"/disk": showing(lambda: {"isEmpty": True}), "/add": {"POST": _echo}}
    server = Endpoints(("", 0), paths, request_seconds=SECONDS)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join(5)


def _answer(port: int, request: bytes, *, is_over: bool = True) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        with suppress(OSError):
            connection.sendall(request)
            if is_over:
                connection.shutdown(socket.SHUT_WR)
        return _all(connection)


def _all(connection: socket.socket) -> bytes:
    found = b""
    with suppress(ConnectionError):
        while block := connection.recv(1 << 16):
            found += block
    return found


def _status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


def _is_served(port: int, source: str) -> bool:
    """Whether a client of that address gets what it asks for, within a moment."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(
                "127.0.0.1", port, timeout=5, source_address=(source, 0)
            )
            connection.request("GET", "/disk")
            return bool(json.load(connection.getresponse())["isEmpty"])
    return False


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(b"GET /disk\r\n", 200, id="the-oldest-http"),
        pytest.param(b"GET /disk HTTP/1.1\r\n\r\n" * 50, 200, id="many-at-once"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400, id="tls"),
        pytest.param(b"GET /disk HTTP/9.9\r\n\r\n", 505, id="http-of-another-time"),
        pytest.param(b"GET " + b"x" * MOST_HEAD_BYTES, 431, id="a-path-without-an-end"),
        pytest.param(
            b"GET /disk HTTP/1.1\r\nA: " + b"x" * MOST_HEAD_BYTES, 431, id="a-header-without-an-end"
        ),
        pytest.param(
            b"GET /disk HTTP/1.1\r\n" + b"A: b\r\n" * MOST_HEAD_BYTES, 431, id="many-headers"
        ),
        pytest.param(b"POST /add HTTP/1.1\r\n\r\n{}", 411, id="no-length"),
        pytest.param(
            b"POST /add HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", 411, id="chunks"
        ),
        pytest.param(b"POST /add HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 411, id="minus"),
        pytest.param("POST /add HTTP/1.1\r\nContent-Length: ²\r\n\r\n".encode("latin-1"), 411,
                     id="no-digit"),
        pytest.param(
            b"POST /add HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 411, id="endless"
        ),
        pytest.param(
            b"POST /add HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MOST_BODY_BYTES + 1), 413,
            id="large",
        ),
        pytest.param(b"POST /add HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf", 400, id="cut"),
        pytest.param(b"POST /add HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 200, id="as-it-should"),
    ],
)  # fmt: skip
def test_a_broken_request_gets_a_status_that_is_true(
    port: int, request_: bytes, status: int
) -> None:
    answer = _answer(port, request_)
    assert _status(answer) == status
    assert isinstance(json.loads(answer.partition(b"\r\n\r\n")[2]), dict | str)
    assert answer.count(b"HTTP/1.") == 1


def test_a_request_that_drips_is_hung_up_on(port: int) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.settimeout(0.05)
        while time.monotonic() < began + 10:
            with suppress(TimeoutError):
                try:
                    connection.sendall(b"G")
                    if not connection.recv(1):
                        break
                except ConnectionError:
                    break
    assert SECONDS / 2 < time.monotonic() - began < 10 * SECONDS


def test_one_address_cannot_take_the_places_of_all_others(port: int) -> None:
    with ExitStack() as stack:
        for _ in range(MOST_AT_ONCE + 4):
            connection = socket.create_connection(("127.0.0.1", port), 5, ("127.0.0.9", 0))
            stack.enter_context(connection)
        assert MOST_OF_ONE < MOST_AT_ONCE
        assert _is_served(port, "127.0.0.8")
    assert _is_served(port, "127.0.0.9")


@settings(max_examples=20, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=50).map(lambda b: b"GET /" + b)))
def test_whatever_is_sent_the_next_is_served(port: int, request: Any) -> None:
    answer = _answer(port, request)
    assert not answer or 200 <= _status(answer) < 600
    assert _is_served(port, "127.0.0.1")
