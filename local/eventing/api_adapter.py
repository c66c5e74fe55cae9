"""The ApiServerSource's adapter: follows watches and sends one event per change, in order.

What it does not send matters as much: nothing for objects that exist already, and nothing for
what happened in a gap. Both come from its store being a stub whose "replace" does nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from local.eventing.api_events import change_event, passes_owner, selector_text
from local.eventing.kinds import group_path, guessed_plural
from local.eventing.source_sender import SourceSender
from local.kube import ApiError, KubeClient, WatchExpired

log = logging.getLogger(__name__)

FIRST_BACKOFF = 0.8
LONGEST_BACKOFF = 30.0
REWATCH_SECONDS = 0.2
# The real adapter looks once, when its pod has started. This one starts at once, so it gives kinds
# that are being installed together with the source as long as a pod takes.
START_SECONDS = 2.0


class Crashed(Exception):
    """The adapter cannot start; the real one's pod ends and is started again."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One collection that is followed: path and label selector."""

    path: str
    selector: str

    @property
    def query(self) -> dict[str, str]:
        return {"labelSelector": self.selector} if self.selector else {}


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """Everything the adapter is started with; any difference means a new adapter."""

    resources: tuple[Mapping[str, Any], ...]
    namespaces: tuple[str, ...]
    all_namespaces: bool
    mode: str
    owner: Mapping[str, Any] | None
    sender: SourceSender


class ApiAdapter:
    """One running adapter; `ready` is set when every watch has its starting point."""

    def __init__(self, client: KubeClient, config: AdapterConfig) -> None:
        self.ready = asyncio.Event()
        self._client = client
        self._config = config
        self._listed = 0

    async def run(self) -> None:
        """Follow all collections until cancelled."""
        backoff, latest = 0.5, asyncio.get_running_loop().time() + START_SECONDS
        while True:
            try:
                watched = await self._collections(latest)
                break
            except (Crashed, ApiError, aiohttp.ClientError, TimeoutError) as error:
                log.warning("the adapter cannot start and tries again: %s", error)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, 5.0)
        if not watched:
            self.ready.set()
        async with asyncio.TaskGroup() as group:
            for one in watched:
                group.create_task(self._reflect(one, len(watched)))

    async def _collections(self, latest: float) -> list[Watched]:
        found: list[Watched] = []
        for resource in self._config.resources:
            found += await self._collections_of(resource, latest)
        return found

    async def _collections_of(self, resource: Mapping[str, Any], latest: float) -> list[Watched]:
        base = group_path(resource["apiVersion"])
        plural = guessed_plural(resource["kind"])
        served = await self._client.get(base)
        if served is None:
            raise Crashed(f"{resource['apiVersion']} is not served yet")
        known = next((kind for kind in served["resources"] if kind["name"] == plural), None)
        selector = selector_text(resource.get("selector"))
        if known is None and asyncio.get_running_loop().time() < latest:
            raise Crashed(f"{resource['apiVersion']} has no {plural} yet")
        if known is None:
            # The real adapter skips it too, until its next start.
            log.error("%s has no %s: it is not watched", resource["apiVersion"], plural)
            return []
        if not known["namespaced"] or self._config.all_namespaces:
            return [Watched(f"{base}/{plural}", selector)]
        return [
            Watched(f"{base}/namespaces/{namespace}/{plural}", selector)
            for namespace in self._config.namespaces
        ]

    async def _reflect(self, watched: Watched, expected: int) -> None:
        backoff, first = FIRST_BACKOFF, True
        while True:
            try:
                listed = await self._client.list(watched.path, {**watched.query, "limit": "1"})
                if first:
                    first = False
                    self._listed += 1
                    if self._listed == expected:
                        self.ready.set()
                backoff = FIRST_BACKOFF
                await self._follow(watched, listed["metadata"]["resourceVersion"])
            except (ApiError, WatchExpired, aiohttp.ClientError, TimeoutError) as error:
                log.warning("%s: listing again, changes meanwhile are lost: %s", watched, error)
            await asyncio.sleep(backoff * random.uniform(1.0, 2.0))
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    async def _follow(self, watched: Watched, version: str) -> None:
        """Watch on from the last version seen, so a connection that breaks loses nothing."""
        while True:
            try:
                async for change, item in self._client.watch(watched.path, version, watched.query):
                    version = item["metadata"]["resourceVersion"]
                    if change != "BOOKMARK":
                        await self._send(change, item)
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(REWATCH_SECONDS)

    async def _send(self, change: str, item: Mapping[str, Any]) -> None:
        config = self._config
        if passes_owner(item, config.owner):
            await config.sender.send(change_event(change, item, config.mode, self._client.server))
