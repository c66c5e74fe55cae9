"""The connections of the agent's HTTP server: how many there may be, and how long each may last.

Whoever reaches the pod reaches this port. Slow or crowding clients may cost no more than a few
threads for some seconds, and no one of them may take the places of all others.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

log = logging.getLogger("agent")

MOST_AT_ONCE = 8
MOST_OF_ONE = 4


class Connections(ThreadingHTTPServer):
    """Serves so many clients at once, and only so many of one address; others are hung up on."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._guard = threading.Lock()
        self._served: Counter[str] = Counter()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # The library's own would ask the DNS for this host's name, and wait for the answer.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._enter(client_address[0]):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # There is no memory for one more thread.
            self._leave(client_address[0])
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._leave(client_address[0])

    def _enter(self, client: str) -> bool:
        with self._guard:
            if self._served.total() >= MOST_AT_ONCE or self._served[client] >= MOST_OF_ONE:
                return False
            self._served[client] += 1
            return True

    def _leave(self, client: str) -> None:
        with self._guard:
            self._served[client] -= 1
            self._served += Counter()  # Forgets who has none left.

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request
        error = sys.exception()
        # A client may go whenever it likes, and one that takes no answer is let go.
        if not isinstance(error, ConnectionError | TimeoutError):
            log.error("the request of %s failed", client_address[0], exc_info=error)


class Patience:
    """Hangs up on a connection once it has taken longer than it was last allowed to."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._ending: threading.Timer | None = None

    def allow(self, seconds: float) -> None:
        self.end()
        self._ending = threading.Timer(seconds, _hang_up, (self._connection,))
        self._ending.daemon = True
        self._ending.start()

    def end(self) -> None:
        if self._ending is not None:
            self._ending.cancel()


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # It has ended by itself.
