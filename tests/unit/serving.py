"""A server on loopback that answers as a test says, for clients that must not be fooled."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

Reply = Callable[[socket.socket], None]
Serve = Callable[[Reply], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server on loopback that does one thing with each connection."""
    threads: list[threading.Thread] = []
    sockets: list[socket.socket] = []

    def start(reply: Reply) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)

        def one() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                try:
                    reply(connection)
                except OSError:
                    return  # The client has had enough.

        threads.append(threading.Thread(target=one))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield start
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    for each in sockets:
        each.close()
