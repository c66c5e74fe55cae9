"""Keeps ApiServerSources and PingSources: their status, and the adapters that run for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from local.eventing import cron
from local.eventing.api_adapter import AdapterConfig, ApiAdapter
from local.eventing.api_events import event_types, selects
from local.eventing.conditions import (
    OIDC_OFF,
    Condition,
    false,
    status_of,
    true,
    unknown,
    with_ready,
)
from local.eventing.defaulting import defaulted
from local.eventing.destinations import Unresolved, resolve
from local.eventing.permissions import missing_permission
from local.eventing.ping_adapter import PingAdapter, ping_event, source_of
from local.eventing.sender import Sender
from local.eventing.source_sender import SourceSender
from local.eventing.writing import guarded, write_status
from local.kube import KubeClient

log = logging.getLogger(__name__)

Object = dict[str, Any]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Running:
    """An adapter under way: what it was started with, its task, and whether it is up."""

    config: object
    task: asyncio.Task[None]
    ready: Callable[[], bool]


class SourceControl:
    """Reconciles all sources of both kinds."""

    def __init__(self, client: KubeClient, sender: Sender, changed: asyncio.Event) -> None:
        self._client = client
        self._sender = sender
        self._changed = changed
        self._running: dict[tuple[str, Key], Running] = {}
        self._permitted: dict[Key, object] = {}

    async def reconcile(
        self,
        api_sources: Mapping[Key, Object],
        ping_sources: Mapping[Key, Object],
        namespaces: Mapping[Key, Object],
    ) -> None:
        """Start, replace and stop adapters, and bring every status up to date."""
        wanted = {("api", key) for key in api_sources} | {("ping", key) for key in ping_sources}
        for gone in set(self._running) - wanted:
            self._stop(gone)
        for key, item in api_sources.items():
            await guarded(f"ApiServerSource {key}", self._api_source(key, item, namespaces))
        for key, item in ping_sources.items():
            await guarded(f"PingSource {key}", self._ping_source(key, item))

    async def close(self) -> None:
        tasks = [running.task for running in self._running.values()]
        for identity in list(self._running):
            self._stop(identity)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _api_source(self, key: Key, stored: Object, namespaces: Mapping[Key, Object]) -> None:
        item, identity = defaulted(stored), ("api", key)
        spec = item["spec"]
        sink, provided = await self._sink(item)
        matched, everywhere = _matched(spec, key[0], namespaces)
        scope = ("",) if everywhere else tuple(matched)
        missing = await self._missing_permission(key, spec, scope)
        if missing or not sink:
            self._stop(identity)
        else:
            sender = SourceSender(self._sender, sink, key[0], _overrides(spec))
            owner, mode = spec.get("owner"), spec["mode"]
            resources = tuple(spec["resources"])
            config = AdapterConfig(resources, scope, everywhere, mode, owner, sender)
            adapter = ApiAdapter(self._client, config)
            self._start(identity, config, adapter.run, adapter.ready)
        conditions = [provided, _permitted(missing), self._deployed(identity), _oidc()]
        types = event_types(spec["mode"])
        rest = {
            "ceAttributes": [{"source": self._client.server, "type": kind} for kind in types],
            "namespaces": matched,
            "sinkUri": sink or None,
        }
        await write_status(self._client, stored, status_of(stored, with_ready(conditions), rest))

    async def _missing_permission(
        self, key: Key, spec: Mapping[str, Any], scope: tuple[str, ...]
    ) -> str:
        """Ask the API server once per wanted scope, and again only while something is missing."""
        asked = (spec["resources"], spec["serviceAccountName"], scope)
        if self._permitted.get(key) == asked:
            return ""
        missing = await missing_permission(self._client, spec, key[0], scope)
        self._permitted[key] = None if missing else asked
        return missing

    async def _ping_source(self, key: Key, stored: Object) -> None:
        item, identity = defaulted(stored), ("ping", key)
        spec = item["spec"]
        sink, provided = await self._sink(item)
        if sink:
            sender = SourceSender(self._sender, sink, key[0], _overrides(spec))
            schedule = cron.parse(spec["schedule"], spec.get("timezone") or "")
            event = ping_event(spec, *key)
            up = asyncio.Event()
            up.set()
            adapter = PingAdapter(schedule, event, sender)
            self._start(identity, (schedule, event, sender), adapter.run, up)
        else:
            self._stop(identity)
        conditions = [provided, self._deployed(identity), _oidc()]
        attributes = [{"source": source_of(*key), "type": "dev.knative.sources.ping"}]
        rest = {"ceAttributes": attributes, "sinkUri": sink or None}
        await write_status(self._client, stored, status_of(stored, with_ready(conditions), rest))

    async def _sink(self, item: Object) -> tuple[str, Condition]:
        namespace = item["metadata"]["namespace"]
        try:
            sink = await resolve(self._client, item["spec"].get("sink") or {}, namespace)
        except Unresolved as error:
            return "", false("SinkProvided", "NotFound", str(error))
        return sink, true("SinkProvided")

    def _start(
        self,
        identity: tuple[str, Key],
        config: object,
        run: Callable[[], Coroutine[Any, Any, None]],
        ready: asyncio.Event,
    ) -> None:
        """Start an adapter unless one with the same settings runs already.

        As with the real Deployment the old one ends only once the new one is up: a changed source
        may send an event twice, but it leaves no gap.
        """
        before = self._running.get(identity)
        if before is not None and before.config == config and not before.task.done():
            return
        task = asyncio.create_task(run())
        self._running[identity] = Running(config, task, ready.is_set)
        watcher = asyncio.create_task(self._replaced(ready, before))
        task.add_done_callback(lambda _: watcher.cancel())
        task.add_done_callback(self._ended)

    async def _replaced(self, ready: asyncio.Event, before: Running | None) -> None:
        try:
            await ready.wait()
        finally:
            # Also when the new one is stopped before it was up: nobody else knows the old one.
            if before is not None:
                before.task.cancel()
            self._changed.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """An adapter that ends by itself has a bug; the next pass starts another one."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an adapter ended", exc_info=error)
            self._changed.set()

    def _stop(self, identity: tuple[str, Key]) -> None:
        running = self._running.pop(identity, None)
        if running is not None:
            running.task.cancel()

    def _deployed(self, identity: tuple[str, Key]) -> Condition:
        running = self._running.get(identity)
        if running is None:
            return unknown("Deployed")
        if running.ready() and not running.task.done():
            return true("Deployed")
        return false("Deployed", "DeploymentUnavailable", "The adapter is not up yet.")


def _matched(
    spec: Mapping[str, Any], own: str, namespaces: Mapping[Key, Object]
) -> tuple[list[str], bool]:
    """Return the namespaces a source watches, and whether it watches the whole cluster."""
    selector = spec.get("namespaceSelector")
    if selector is None:
        return [own], False
    matching = [
        name
        for (_, name), item in namespaces.items()
        if selects(selector, item["metadata"].get("labels") or {})
    ]
    # An empty selector means one watch of everything. The real adapter starts anew for every new
    # namespace even then, which only adds duplicates.
    return sorted(matching), not selector.get("matchLabels") and not selector.get(
        "matchExpressions"
    )


def _overrides(spec: Mapping[str, Any]) -> Mapping[str, str]:
    return (spec.get("ceOverrides") or {}).get("extensions") or {}


def _permitted(missing: str) -> Condition:
    if missing:
        return false("SufficientPermissions", "InsufficientPermissions", missing)
    return true("SufficientPermissions")


def _oidc() -> Condition:
    return true("OIDCIdentityCreated", OIDC_OFF)
