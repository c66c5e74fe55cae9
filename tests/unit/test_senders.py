"""Whether somebody still waits for an answer, and since when, by the question's connection."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from functions.runtime.senders import CONNECTION, GRAIN, arrival, has_hung_up

SECONDS = 10.0
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The server's side of a connection, and the sender's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), SECONDS) as sender,
    ):
        ours, _ = listener.accept()
        with ours:
            ours.settimeout(SECONDS)
            yield ours, sender


def test_a_sender_that_waits_is_there(pair: Pair) -> None:
    assert not has_hung_up({CONNECTION: pair[0]})


def test_a_sender_that_hung_up_is_gone(pair: Pair) -> None:
    ours, sender = pair
    sender.close()
    ours.recv(1)  # Until the news has come.
    assert has_hung_up({CONNECTION: ours})


def test_a_sender_that_broke_off_is_gone(pair: Pair) -> None:
    ours, sender = pair
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sender.close()
    assert has_hung_up({CONNECTION: ours})


def test_the_next_request_of_a_sender_that_waits_is_left_where_it_is(pair: Pair) -> None:
    ours, sender = pair
    sender.sendall(b"POST")
    ours.recv(1, socket.MSG_PEEK)
    assert not has_hung_up({CONNECTION: ours})
    assert ours.recv(10) == b"POST"


def test_a_connection_that_cannot_be_looked_at_counts_as_there(pair: Pair) -> None:
    ours, sender = pair
    assert not has_hung_up({})
    with ssl.create_default_context().wrap_socket(
        sender, server_hostname="x", do_handshake_on_connect=False
    ) as encrypted:
        assert not has_hung_up({CONNECTION: encrypted})
    ours.close()
    assert not has_hung_up({CONNECTION: ours})


def test_a_request_arrived_when_its_last_byte_came_however_long_it_queued(pair: Pair) -> None:
    ours, sender = pair
    _pass_time(0.1)
    sent = time.monotonic()
    sender.sendall(b"POST")
    ours.recv(4, socket.MSG_PEEK)
    came = time.monotonic()
    _pass_time(0.3)
    told = arrival({CONNECTION: ours})
    assert told is not None
    assert sent <= told <= came + 2 * GRAIN
    assert ours.recv(4) == b"POST"
    assert arrival({CONNECTION: ours}) == pytest.approx(told, abs=GRAIN), (
        "taking it changes nothing"
    )
    _pass_time(0.1)
    sender.sendall(b"more")
    ours.recv(4)
    later = arrival({CONNECTION: ours})
    assert later is not None
    assert later > came + 0.3, "what comes after it makes it seem later, never earlier"


def _pass_time(seconds: float) -> None:
    threading.Event().wait(seconds)


def test_when_a_request_arrived_is_not_known_of_every_connection(pair: Pair) -> None:
    assert arrival({}) is None
    one, other = socket.socketpair()
    with one, other:
        assert arrival({CONNECTION: one}) is None, "the kernel tells it of TCP only"
    pair[0].close()
    assert arrival({CONNECTION: pair[0]}) is None
