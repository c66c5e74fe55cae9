"""The agent's HTTP: a few paths that answer GET with JSON, with everything about them bounded.

Whoever reaches the pod reaches this port, so slow or crowding clients may cost no more than a few
threads for some seconds.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

log = logging.getLogger("agent")

MOST_AT_ONCE = 4
# The longest wait for the next bytes, and for everything from the connection to the answer's end:
# reading the largest log takes seconds.
READ_SECONDS = 5.0
LONGEST_SECONDS = 60.0

Endpoint = Callable[[], Mapping[str, Any]]


class Endpoints(ThreadingHTTPServer):
    """Serves each path of `endpoints`; an OSError of one is answered as 503."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], endpoints: Mapping[str, Endpoint]) -> None:
        self.endpoints = endpoints
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)
        super().__init__(address, _Request)

    def server_bind(self) -> None:
        # The library's own would ask the DNS for this host's name, and wait for the answer.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # There is no memory for one more thread.
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        ending = threading.Timer(LONGEST_SECONDS, _hang_up, (request,))
        ending.daemon = True
        ending.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            ending.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request
        error = sys.exception()
        if not isinstance(error, ConnectionError):  # A client may go whenever it likes.
            log.error("the request of %s failed", client_address[0], exc_info=error)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # It has ended by itself.


class _Request(BaseHTTPRequestHandler):
    server: Endpoints
    timeout = READ_SECONDS
    server_version = "zookeeper-agent"
    sys_version = ""

    def parse_request(self) -> bool:
        """Let only GET through to `do_GET`."""
        if not super().parse_request():
            return False
        if self.command != "GET":
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "Use GET."})
            return False
        return True

    def do_GET(self) -> None:
        endpoint = self.server.endpoints.get(self.path.partition("?")[0])
        if endpoint is None:
            self._answer(HTTPStatus.NOT_FOUND, {"error": "There is nothing at this path."})
            return
        try:
            status, content = HTTPStatus.OK, endpoint()
        except OSError as error:
            status, content = HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)}
        self._answer(status, content)

    def _answer(self, status: HTTPStatus, content: Mapping[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a request changes nothing, and is asked again and again."""
