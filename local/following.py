"""Look again whenever something changed: the loop that the small parts of the platform share."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import aiohttp

from local.kube import ApiError, Mirror

PAUSE_SECONDS = 0.5

log = logging.getLogger("following")


async def follow(mirrors: Sequence[Mirror], look: Callable[[], Awaitable[None]]) -> None:
    """Call `look` after every change of a mirror, and again soon after it failed. Never returns."""
    changed = asyncio.Event()
    for mirror in mirrors:
        mirror.changed = changed
    async with asyncio.TaskGroup() as group:
        for mirror in mirrors:
            group.create_task(mirror.run())
        for mirror in mirrors:
            await mirror.synced.wait()
        while True:
            await changed.wait()
            changed.clear()
            if not await _succeeds(look):
                await asyncio.sleep(PAUSE_SECONDS)
                changed.set()


async def until_it_succeeds(look: Callable[[], Awaitable[None]]) -> None:
    """Repeat until the API server takes it."""
    while not await _succeeds(look):
        await asyncio.sleep(PAUSE_SECONDS)


async def _succeeds(look: Callable[[], Awaitable[None]]) -> bool:
    try:
        await look()
    except (ApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
        log.warning("will try again: %s", error)
        return False
    return True


def run_part(part: Coroutine[Any, Any, None]) -> int:
    """Run one part of the platform until SIGTERM."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    asyncio.run(part)
    return 0
