"""Writes the status of an object when it says something new, and keeps one bad object to itself."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any, TypeVar

import aiohttp

from local.eventing.kinds import own_path
from local.kube import ApiError, KubeClient

log = logging.getLogger(__name__)

Result = TypeVar("Result")

STALE = (404, 409)


async def write_status(client: KubeClient, item: dict[str, Any], status: dict[str, Any]) -> None:
    """Compare and set; an object that changed or went away meanwhile is looked at again later."""
    if item.get("status") == status:
        return
    try:
        await client.call("PUT", f"{own_path(item)}/status", body={**item, "status": status})
    except ApiError as error:
        if error.status not in STALE:
            raise


async def guarded(what: str, work: Awaitable[Result]) -> Result | None:
    """Do the work for one object; whatever goes wrong with it must not stop the others."""
    try:
        return await work
    except (ApiError, aiohttp.ClientError, TimeoutError) as error:
        log.warning("%s: %s; it is tried again", what, error)
    except Exception:
        log.exception("%s: a bug, or an object that admission did not see", what)
    return None
