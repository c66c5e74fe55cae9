"""`kubectl exec` over a websocket: the v4 and v5 channel protocols of Kubernetes."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import struct
import termios
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from local.node.running import Running, kill_group
from local.node.sandbox import enter_command

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
_CHUNK = 32 * 1024


@dataclass(slots=True)
class _Streams:
    """The ends of the command's streams that stay with us."""

    process: asyncio.subprocess.Process
    terminal: int | None = None
    stdin: asyncio.StreamWriter | None = None
    outputs: list[tuple[int, asyncio.StreamReader]] = field(default_factory=list)


async def run_exec(request: web.Request, running: Running) -> web.StreamResponse:
    """Run the query's command in the container and carry its streams."""
    websocket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=16 * 1024 * 1024)
    if not websocket.can_prepare(request):
        return web.Response(
            status=400, text="this node speaks websockets only: use kubectl 1.31 or later for exec"
        )
    await websocket.prepare(request)
    query = request.query
    command = query.getall("command", [])
    tty = query.get("tty") in ("1", "true")
    streams = await _start(
        running, command, tty=tty, wants_input=query.get("input") in ("1", "true")
    )
    feeding = asyncio.create_task(_feed(websocket, streams))
    carrying = asyncio.create_task(_carry_all(websocket, streams))
    ended = asyncio.create_task(streams.process.wait())
    try:
        await asyncio.wait({feeding, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            # What was said last is still on its way; a child left behind must not hold us up.
            await asyncio.wait({carrying}, timeout=1.0)
            await _send_status(websocket, ended.result())
    finally:
        feeding.cancel()
        carrying.cancel()
        await kill_group(streams.process)
        ended.cancel()
        if streams.terminal is not None:
            os.close(streams.terminal)
    await websocket.close()
    return websocket


async def _start(running: Running, command: list[str], *, tty: bool, wants_input: bool) -> _Streams:
    inside = enter_command(running.pid, command, running.workdir, tty=tty)
    env = dict(running.env)
    if tty:
        return await _start_on_terminal(inside, {"TERM": "xterm", **env})
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *inside,
        env=env,
        stdin=pipe if wants_input else null,
        stdout=pipe,
        stderr=pipe,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    outputs = [(STDOUT, process.stdout), (STDERR, process.stderr)]
    return _Streams(process, stdin=process.stdin, outputs=outputs)


async def _start_on_terminal(inside: list[str], env: dict[str, str]) -> _Streams:
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *inside, env=env, stdin=theirs, stdout=theirs, stderr=theirs
        )
    finally:
        os.close(theirs)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(ours), "rb", 0)
    )
    return _Streams(process, terminal=ours, outputs=[(STDOUT, reader)])


async def _feed(websocket: web.WebSocketResponse, streams: _Streams) -> None:
    """Carry what the client sends; ends when the client goes away."""
    async for message in websocket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == STDIN:
            await _write(streams, data)
        elif channel == RESIZE and streams.terminal is not None:
            _resize(streams.terminal, data)
        elif channel == CLOSE and data[:1] == bytes([STDIN]) and streams.stdin is not None:
            streams.stdin.close()


async def _write(streams: _Streams, data: bytes) -> None:
    with contextlib.suppress(OSError):
        if streams.terminal is not None:
            await asyncio.to_thread(os.write, streams.terminal, data)
        elif streams.stdin is not None and not streams.stdin.is_closing():
            streams.stdin.write(data)
            await streams.stdin.drain()


def _resize(terminal: int, data: bytes) -> None:
    size = json.loads(data)
    packed = struct.pack("HHHH", size.get("Height", 24), size.get("Width", 80), 0, 0)
    with contextlib.suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, packed)


async def _carry_all(websocket: web.WebSocketResponse, streams: _Streams) -> None:
    await asyncio.gather(
        *(_carry(websocket, channel, reader) for channel, reader in streams.outputs)
    )


async def _carry(
    websocket: web.WebSocketResponse, channel: int, reader: asyncio.StreamReader
) -> None:
    # Reading a terminal whose other end is closed is an input/output error: the end.
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            await websocket.send_bytes(bytes([channel]) + data)


async def _send_status(websocket: web.WebSocketResponse, returncode: int) -> None:
    code = 128 - returncode if returncode < 0 else returncode
    with contextlib.suppress(OSError):
        await websocket.send_bytes(bytes([ERROR]) + json.dumps(exit_status(code)).encode())


def exit_status(code: int) -> dict[str, object]:
    """The metav1.Status in which kubectl looks for the exit code."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
