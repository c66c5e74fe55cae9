"""The agent's HTTP: a few methods and paths that answer with JSON, and a status that is true.

A request is small and comes soon or is not answered: see also `connections`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler
from typing import Any

from functions.api.errors import Unavailable
from functions.pods.connections import Connections, Patience

# The longest wait for the next bytes, for a whole request, and from there to the answer's end:
# reading the largest log takes seconds.
READ_SECONDS = 5.0
REQUEST_SECONDS = 10.0
ANSWER_SECONDS = 60.0

MOST_HEAD_BYTES = 16 * 1024
MOST_BODY_BYTES = 4 * 1024


class Declined(Exception):
    """The request is not done: the status, the sentence and the headers that the client gets."""

    def __init__(
        self, status: HTTPStatus, sentence: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Asked:
    """What an endpoint may see of a request; `body` reads it, and raises Declined if it cannot."""

    authorization: str
    body: Callable[[], bytes]


JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """JSON, or a text of another type, and a status."""

    content: Any
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    type: str = JSON


Endpoint = Callable[[Asked], Reply]
# By path, and under it by method.
Paths = Mapping[str, Mapping[str, Endpoint]]


def showing(read: Callable[[], Any]) -> Mapping[str, Endpoint]:
    """Return what answers GET with what is read then."""
    return {"GET": lambda _: Reply(read())}


class Endpoints(Connections):
    """Serves `paths`; an OSError or Unavailable of an endpoint is answered as 503."""

    def __init__(
        self,
        address: tuple[str, int],
        paths: Paths,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self.paths = paths
        self.request_seconds = request_seconds
        super().__init__(address, _Request)

    def endpoint(self, method: str, path: str) -> Endpoint:
        methods = self.paths.get(path)
        if methods is None:
            raise Declined(HTTPStatus.NOT_FOUND, "There is nothing at this path.")
        if method not in methods:
            allowed = ", ".join(methods)
            raise Declined(
                HTTPStatus.METHOD_NOT_ALLOWED, f"Use {allowed} here.", {"Allow": allowed}
            )
        return methods[method]


class _Request(BaseHTTPRequestHandler):
    server: Endpoints
    timeout = READ_SECONDS
    server_version = "zookeeper-agent"
    sys_version = ""
    command = requestline = ""
    # Of a line that names none, or was never read to its end: such a client gets a status as well.
    default_request_version = request_version = "HTTP/1.0"

    def setup(self) -> None:
        super().setup()
        self.patience = Patience(self.connection)
        self.patience.allow(self.server.request_seconds)
        self.rfile: Any = _Head(self.rfile)

    def finish(self) -> None:
        self.patience.end()
        super().finish()

    def handle(self) -> None:
        try:
            super().handle()
        except LineTooLong:
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def parse_request(self) -> bool:
        """Answer whatever has been asked; nothing is left for the library to do."""
        if super().parse_request():
            self._reply(self._answered())
        return False

    def _answered(self) -> Reply:
        path = self.path.partition("?")[0]
        if self.command == "GET":
            self.patience.allow(ANSWER_SECONDS)
        try:
            endpoint = self.server.endpoint(self.command, path)
            return endpoint(Asked(self.headers.get("Authorization", ""), self._body))
        except Declined as declined:
            return Reply({"error": str(declined)}, declined.status, declined.headers)
        except (OSError, Unavailable) as error:
            return Reply({"error": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)

    def _body(self) -> bytes:
        told = self.headers.get("Content-Length", "")
        # Only digits: int() would take signs, spaces and underscores too.
        if not (told.isascii() and told.isdecimal() and len(told) <= 9):
            raise Declined(HTTPStatus.LENGTH_REQUIRED, "Say the body's length (Content-Length).")
        if int(told) > MOST_BODY_BYTES:
            raise Declined(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The body may have {MOST_BODY_BYTES} bytes at most.",
            )
        body: bytes = self.rfile.body(int(told))
        if len(body) < int(told):
            raise Declined(HTTPStatus.BAD_REQUEST, "The body is shorter than its Content-Length.")
        self.patience.allow(ANSWER_SECONDS)
        return body

    def _reply(self, reply: Reply) -> None:
        is_json = reply.type == JSON
        body = (json.dumps(reply.content) if is_json else str(reply.content)).encode()
        self.patience.allow(ANSWER_SECONDS)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no HTTP; the library would quote it in a page."""
        del message, explain
        self.close_connection = True
        self._reply(Reply({"error": "This is no HTTP request that can be read."}, HTTPStatus(code)))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a request changes nothing, and is asked again and again."""


class _Head:
    """Reads a request's head within its bound: the library alone would take millions of bytes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._left = MOST_HEAD_BYTES

    def readline(self, limit: int) -> bytes:
        line: bytes = self._stream.readline(min(limit, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("head")
        return line

    def body(self, length: int) -> bytes:
        found: bytes = self._stream.read(length)
        return found

    def close(self) -> None:
        self._stream.close()
