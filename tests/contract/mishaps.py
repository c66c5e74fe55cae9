"""A TCP proxy before a real server that does harm to the requests a test chooses.

It understands of HTTP only where a request's head ends: each connection carries one request, whose
bytes are passed on both ways until the chosen mishap happens.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Self

from tests.listener import Listener

BLOCK = 16 << 10
STALL_SECONDS = 30.0
HEAD_ENDS = b"\r\n\r\n"


@dataclass(frozen=True)
class CutSent:
    """The connection ends after so many bytes of the request's body."""

    after: int = 0


@dataclass(frozen=True)
class CutAnswer:
    """The connection ends after so many bytes of the answer's body."""

    after: int = 0


@dataclass(frozen=True)
class LoseAnswer:
    """The server does all that is asked; nobody hears of it."""


@dataclass(frozen=True)
class StallSent:
    """Nobody takes the request's body after so many bytes, and nobody closes the connection."""

    after: int = 0


@dataclass(frozen=True)
class StallAnswer:
    """The answer's body stops after so many bytes, and nobody closes the connection.

    -1 is before the end of its head.
    """

    after: int = 0


@dataclass(frozen=True)
class Slow:
    """The request's body is taken at a slow pace."""

    block_seconds: float


@dataclass(frozen=True)
class Flip:
    """One bit of the request's body arrives changed, in the first block after so many bytes."""

    after: int


@dataclass(frozen=True)
class Answer:
    """The server is not even asked."""

    status: int
    code: str
    headers: str = ""

    def text(self) -> bytes:
        body = f"<Error><Code>{self.code}</Code><Message>so it is</Message></Error>"
        return (
            f"HTTP/1.1 {self.status} It\r\nContent-Type: application/xml\r\n{self.headers}"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
        ).encode()


Mishap = CutSent | CutAnswer | LoseAnswer | StallSent | StallAnswer | Slow | Flip | Answer


@dataclass
class _Planned:
    method: str
    text: str
    mishap: Mishap
    left: int


@dataclass
class Proxy:
    """Stands before 127.0.0.1:`upstream`; `heads` are those of all requests that came."""

    upstream: int
    tls: ssl.SSLContext | None = None
    heads: list[str] = field(default_factory=list)
    _planned: list[_Planned] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _listener: Listener = field(init=False)

    @property
    def port(self) -> int:
        return self._listener.port

    def plan(self, method: str, text: str, mishap: Mishap, times: int = 1) -> None:
        """Do harm to the next requests of a method with `text` in their target."""
        self._planned.append(_Planned(method, text, mishap, times))

    def asked(self, method: str, text: str = "") -> int:
        """Return how many requests of a method had `text` in their target."""
        targets = (head.split(" ", 2) for head in self.heads)
        return sum(target[0] == method and text in target[1] for target in targets)

    def __enter__(self) -> Self:
        # Little is on the way, so that a stall is felt by who sends.
        self._listener = Listener(self._serve, buffer=BLOCK)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        with ExitStack() as open_sockets, suppress(OSError):
            open_sockets.enter_context(client)
            if self.tls is not None:
                client = open_sockets.enter_context(self.tls.wrap_socket(client, server_side=True))
            head, begun = _read_head(client)
            if head:
                mishap = self._met(head)
                self._pass_on(client, head, begun, mishap, open_sockets)

    def _met(self, head: str) -> Mishap | None:
        method, target, _ = head.split(" ", 2)
        with self._lock:
            self.heads.append(head)
            for planned in self._planned:
                if planned.left and planned.method == method and planned.text in target:
                    planned.left -= 1
                    return planned.mishap
        return None

    def _pass_on(
        self,
        client: socket.socket,
        head: str,
        begun: bytes,
        mishap: Mishap | None,
        open_sockets: ExitStack,
    ) -> None:
        if isinstance(mishap, Answer):
            _drain(client, head, begun)
            client.sendall(mishap.text())
            return
        upstream = open_sockets.enter_context(
            socket.create_connection(("127.0.0.1", self.upstream), timeout=STALL_SECONDS)
        )
        upstream.sendall(_closing(head))
        sending = threading.Thread(
            target=self._send, args=[client, upstream, begun, mishap], daemon=True
        )
        sending.start()
        self._answer(client, upstream, mishap)
        # Whoever still sends, or has stalled, ends with the connection.
        for end in (client, upstream):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        sending.join(STALL_SECONDS)

    def _send(
        self, client: socket.socket, upstream: socket.socket, block: bytes, mishap: Mishap | None
    ) -> None:
        after = mishap.after if isinstance(mishap, CutSent | StallSent) else None
        with suppress(OSError):
            sent = 0
            while after is None or sent < after:
                if isinstance(mishap, Flip) and sent <= mishap.after < sent + len(block):
                    block = block[:-1] + bytes([block[-1] ^ 1])
                upstream.sendall(block[: None if after is None else after - sent])
                sent += len(block)
                if after is not None and sent >= after:
                    break
                if isinstance(mishap, Slow):
                    time.sleep(mishap.block_seconds)
                block = client.recv(BLOCK)
                if not block:
                    return
            if isinstance(mishap, StallSent):
                _wait_until_closed(client)
            for end in (client, upstream):
                end.shutdown(socket.SHUT_RDWR)

    def _answer(
        self, client: socket.socket, upstream: socket.socket, mishap: Mishap | None
    ) -> None:
        after = mishap.after if isinstance(mishap, CutAnswer | StallAnswer) else None
        seen = b""
        with suppress(OSError):
            while block := upstream.recv(BLOCK):
                if isinstance(mishap, LoseAnswer):
                    continue
                if after is not None:
                    seen += block
                    over = _body_bytes(seen) - after
                    block = block[: len(block) - max(0, over)]
                    client.sendall(block)
                    if over >= 0:
                        break
                else:
                    client.sendall(block)
            if isinstance(mishap, StallAnswer):
                _wait_until_closed(client)


def _wait_until_closed(client: socket.socket) -> None:
    """Wait until the other side gives up, whatever it sent before that is still unread."""
    closing = select.poll()
    closing.register(client, select.POLLRDHUP)
    closing.poll(STALL_SECONDS * 1000)


def _body_bytes(seen: bytes) -> int:
    """Return how many bytes of an answer's body came; less than none while its head does."""
    while seen.startswith(b"HTTP/1.1 100"):
        seen = seen.partition(HEAD_ENDS)[2]
    head, ends, body = seen.partition(HEAD_ENDS)
    return len(body) if ends and head else -len(seen) - 1


def _read_head(client: socket.socket) -> tuple[str, bytes]:
    came = b""
    while HEAD_ENDS not in came:
        block = client.recv(BLOCK)
        if not block:
            return "", b""
        came += block
    head, _, begun = came.partition(HEAD_ENDS)
    return head.decode("latin-1"), begun


def _drain(client: socket.socket, head: str, begun: bytes) -> None:
    """Take a body that is sent without asking: who closes before loses its own answer too."""
    headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
    left = int(headers.get("content-length", 0)) - len(begun)
    while left > 0 and "expect" not in headers:
        left -= len(client.recv(BLOCK)) or left


def _closing(head: str) -> bytes:
    """Return a request's head that asks for an end of the connection after the answer."""
    kept = [line for line in head.split("\r\n") if not line.lower().startswith("connection:")]
    return "\r\n".join([*kept, "Connection: close", "", ""]).encode("latin-1")
