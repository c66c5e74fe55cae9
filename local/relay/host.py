"""Ask the process outside for sockets of the host's network."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket

MESSAGE_BYTES = 4096
ANSWER_SECONDS = 15.0


class HostRefused(OSError):
    """The host did not give the socket; the message is its reason."""


class Host:
    """The socket pair to the process outside; answers carry file descriptors."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        # An answer meant for an earlier process of this part must not be taken for ours.
        self._numbers = itertools.count(os.getpid() << 32)
        self._waiting: dict[int, asyncio.Future[socket.socket]] = {}
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    async def listen(self, port: int) -> socket.socket:
        """Return a socket that listens on the host's 127.0.0.1; 0 means any port."""
        return await self._ask({"listen": port})

    async def connect(self, host: str, port: int) -> socket.socket:
        """Return a connection made in the host's network."""
        return await self._ask({"connect": [host, port]})

    async def _ask(self, request: dict[str, object]) -> socket.socket:
        number = next(self._numbers)
        answer: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._socket.send(json.dumps({"id": number, **request}).encode())
            return await asyncio.wait_for(answer, ANSWER_SECONDS)
        except TimeoutError as error:
            raise HostRefused(f"no answer within {ANSWER_SECONDS:.0f} s") from error
        except OSError as error:
            raise HostRefused(f"the process outside is gone: {error}") from error
        finally:
            self._waiting.pop(number, None)

    def _read(self) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._socket, MESSAGE_BYTES, 1)
        except BlockingIOError:
            return
        if not message:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            return
        found = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        self._deliver(json.loads(message), found)

    def _deliver(self, answer: dict[str, object], found: list[socket.socket]) -> None:
        number = answer["id"]
        waiting = self._waiting.get(number) if isinstance(number, int) else None
        if waiting is None or waiting.done():
            for each in found:
                each.close()
        elif found:
            found[0].setblocking(False)
            waiting.set_result(found[0])
        else:
            waiting.set_exception(HostRefused(str(answer.get("error", "refused"))))
