"""Whether somebody still waits for an answer, by the connection that the question came on."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator

import pytest

from functions.runtime.senders import CONNECTION, has_hung_up

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
