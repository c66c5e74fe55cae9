"""`kubectl port-forward`: streams of a websocket carried to ports inside a pod.

For each connection the client opens two streams with the same request number: `error`, on which a
failure is told in words, and `data`. As with a kubelet, the connection is made to 127.0.0.1 inside
the pod's own network.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
from pathlib import Path

from aiohttp import WSMsgType, web

from local.node.spdy import LONGEST_DATA, Connection, Data, Frame, Opened, Ping, Reset

PROTOCOL = "SPDY/3.1+portforward.k8s.io"
CONNECT_SECONDS = 10.0
_CLONE_NEWNET = 0x40000000


class PortForward:
    """One `kubectl port-forward`, with any number of connections."""

    def __init__(self, websocket: web.WebSocketResponse, network: Path | None) -> None:
        self._websocket = websocket
        self._network = network
        self._spdy = Connection()
        self._errors: dict[str, int] = {}
        self._incoming: dict[int, asyncio.Queue[bytes]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serve until the client goes away."""
        try:
            async for message in self._websocket:
                if message.type is WSMsgType.BINARY:
                    for frame in self._spdy.feed(message.data):
                        await self._take(frame)
        finally:
            for task in self._tasks.values():
                task.cancel()

    async def _take(self, frame: Frame) -> None:
        match frame:
            case Opened():
                await self._open(frame)
            case Data(stream, content, is_last):
                queue = self._incoming.get(stream)
                if queue is not None and content:
                    queue.put_nowait(content)
                if queue is not None and is_last:
                    queue.put_nowait(b"")
            case Reset(stream):
                if task := self._tasks.get(stream):
                    task.cancel()
            case Ping(number):
                await self._send(self._spdy.pong(number))

    async def _open(self, frame: Opened) -> None:
        await self._send(self._spdy.reply(frame.stream))
        request = frame.headers.get("requestid", "")
        if frame.headers.get("streamtype") == "error":
            self._errors[request] = frame.stream
            return
        self._incoming[frame.stream] = asyncio.Queue()
        port = int(frame.headers.get("port", "0"))
        error = self._errors.pop(request, 0)
        self._tasks[frame.stream] = asyncio.create_task(self._carry(frame.stream, error, port))

    async def _carry(self, stream: int, error: int, port: int) -> None:
        """One connection, from connecting to the end of both directions."""
        try:
            reader, writer = await self._connect(port)
        except OSError as failure:
            sentence = (
                f"nothing answers on port {port} inside the pod: {failure.strerror or failure}"
            )
            await self._send(self._spdy.data(error, sentence.encode(), is_last=True))
            await self._send(self._spdy.data(stream, b"", is_last=True))
            return
        inwards = asyncio.create_task(self._carry_in(stream, writer))
        try:
            while content := await reader.read(LONGEST_DATA):
                await self._send(self._spdy.data(stream, content))
        except OSError:
            await self._send(self._spdy.reset(stream))
        finally:
            inwards.cancel()
            writer.close()
            self._incoming.pop(stream, None)
            self._tasks.pop(stream, None)
        await self._send(self._spdy.data(stream, b"", is_last=True))
        await self._send(self._spdy.data(error, b"", is_last=True))

    async def _connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        made = await asyncio.to_thread(socket_inside, self._network)
        made.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(loop.sock_connect(made, ("127.0.0.1", port)), CONNECT_SECONDS)
        except (OSError, TimeoutError) as failure:
            made.close()
            raise OSError(str(failure) or f"no answer in {CONNECT_SECONDS:.0f} s") from failure
        return await asyncio.open_connection(sock=made)

    async def _carry_in(self, stream: int, writer: asyncio.StreamWriter) -> None:
        queue = self._incoming[stream]
        with contextlib.suppress(OSError):
            while content := await queue.get():
                writer.write(content)
                await writer.drain()
            writer.write_eof()

    async def _send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            await self._websocket.send_bytes(data)


def socket_inside(
    network: Path | None, kind: socket.SocketKind = socket.SOCK_STREAM
) -> socket.socket:
    """A socket of another network; a socket stays where it was made.

    Entering a network is a thread's own matter, so this thread goes back to where it was.
    """
    if network is None:
        return socket.socket(type=kind)
    libc = ctypes.CDLL(None, use_errno=True)
    with (
        Path("/proc/thread-self/ns/net").open("rb") as home,
        network.open("rb") as there,
    ):
        _enter(libc, there.fileno())
        try:
            return socket.socket(type=kind)
        finally:
            _enter(libc, home.fileno())


def _enter(libc: ctypes.CDLL, descriptor: int) -> None:
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


async def serve_port_forward(request: web.Request, network: Path | None) -> web.StreamResponse:
    """Answer the API server's request with a websocket, or say what is needed."""
    websocket = web.WebSocketResponse(protocols=(PROTOCOL,), max_msg_size=16 * 1024 * 1024)
    if not websocket.can_prepare(request):
        return web.Response(
            status=400,
            text="this node forwards ports over websockets only: use kubectl 1.31 or later",
        )
    await websocket.prepare(request)
    await PortForward(websocket, network).run()
    return websocket
