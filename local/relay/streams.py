"""Carry bytes between two connections until both sides have said all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

CHUNK_BYTES = 256 * 1024
CONNECT_SECONDS = 10.0

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]
Accepted = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def carry(one: Streams, other: Streams) -> None:
    """Copy in both directions; a half-closed connection stays usable in the other direction."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(one[0], other[1]))
            group.create_task(_copy(other[0], one[1]))
    finally:
        one[1].close()
        other[1].close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    with suppress(OSError, RuntimeError):
        writer.write_eof()


async def connect_inside(host: str, port: int) -> Streams:
    return await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_SECONDS)


def relay_to(connect: Connect) -> Accepted:
    """Return a connection callback that relays each accepted connection."""

    # The event loop itself keeps only weak references to tasks.
    relaying: set[asyncio.Task[None]] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        relaying.add(task)
        task.add_done_callback(relaying.discard)
        try:
            target = await connect()
        except (OSError, TimeoutError):
            writer.close()
            return
        await carry((reader, writer), target)

    return accepted
