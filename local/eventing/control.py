"""Follows the API server and keeps routes, adapters and statuses as the objects want them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from local.eventing import kinds
from local.eventing.broker_control import BrokerControl
from local.eventing.ingress import Ingress
from local.eventing.sender import Sender
from local.eventing.source_control import SourceControl
from local.eventing.writing import guarded
from local.kube import KubeClient, Mirror

log = logging.getLogger(__name__)

UNSETTLED_SECONDS = 1.0
SETTLED_SECONDS = 30.0
OURS = (kinds.BROKERS, kinds.TRIGGERS, kinds.API_SERVER_SOURCES, kinds.PING_SOURCES)
FOLLOWED = (*OURS, kinds.KNATIVE_SERVICES, kinds.NAMESPACES)


class Control:
    """The reconcile loop over everything; one pass looks at all objects."""

    def __init__(
        self, client: KubeClient, sender: Sender, ingress: Ingress, ingress_url: str
    ) -> None:
        self._changed = asyncio.Event()
        self._mirrors = {path: Mirror(client, path) for path in FOLLOWED}
        self._ingress = ingress
        self._brokers = BrokerControl(client, ingress_url)
        self._sources = SourceControl(client, sender, self._changed)

    async def run(self) -> None:
        """Reconcile until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for mirror in self._mirrors.values():
                    # Each mirror wakes the loop through the one shared event.
                    mirror.changed = self._changed
                    group.create_task(mirror.run())
                await self._first_look()
                while True:
                    self._changed.clear()
                    await self._reconcile()
                    await self._next_change()
        finally:
            await self._sources.close()

    async def _first_look(self) -> None:
        """Wait for everything but Knative Services, whose kind may be installed later."""
        for path, mirror in self._mirrors.items():
            if path != kinds.KNATIVE_SERVICES:
                await mirror.synced.wait()
        log.info("following Brokers, Triggers and sources")

    async def _next_change(self) -> None:
        seconds = SETTLED_SECONDS if self._is_settled() else UNSETTLED_SECONDS
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _reconcile(self) -> None:
        seen = {path: dict(mirror.objects) for path, mirror in self._mirrors.items()}
        brokers, triggers = seen[kinds.BROKERS], seen[kinds.TRIGGERS]
        routes = await guarded("Brokers", self._brokers.reconcile(brokers, triggers))
        if routes is not None:
            self._ingress.routes = routes
        await guarded(
            "sources",
            self._sources.reconcile(
                seen[kinds.API_SERVER_SOURCES], seen[kinds.PING_SOURCES], seen[kinds.NAMESPACES]
            ),
        )

    def _is_settled(self) -> bool:
        """Tell whether all is Ready; what is not may wait for something that nobody watches."""
        return all(_ready(item) for path in OURS for item in self._mirrors[path].objects.values())


def _ready(item: Mapping[str, Any]) -> bool:
    status = item.get("status") or {}
    if status.get("observedGeneration") != item["metadata"].get("generation"):
        return False
    return any(
        one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or []
    )
