"""PingSource's adapter: one event per tick of a schedule. Missed ticks are not made up."""

from __future__ import annotations

import asyncio
import base64
import logging
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local.eventing import cron
from local.eventing.events import Event
from local.eventing.source_sender import SourceSender

log = logging.getLogger(__name__)

JITTER_SECONDS = 0.499
# Waiting in pieces follows a clock that was set meanwhile.
LONGEST_WAIT = 60.0


def source_of(namespace: str, name: str) -> str:
    return f"/apis/v1/namespaces/{namespace}/pingsources/{name}"


def ping_event(spec: Mapping[str, Any], namespace: str, name: str) -> Event:
    """Return the event of every tick; the sender adds id, time and overrides."""
    encoded = spec.get("dataBase64")
    data = base64.b64decode(encoded) if encoded else str(spec.get("data") or "").encode()
    attributes = {"type": "dev.knative.sources.ping", "source": source_of(namespace, name)}
    return Event(attributes, data, spec.get("contentType") or "")


class PingAdapter:
    """Ticks for one PingSource."""

    def __init__(self, schedule: cron.Schedule, event: Event, sender: SourceSender) -> None:
        self._schedule = schedule
        self._event = event
        self._sender = sender
        self._ticks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Tick until cancelled; a slow sink does not hold up the next tick."""
        last = datetime.now(UTC)
        while (tick := self._schedule.next_after(last)) is not None:
            while (wait := (tick - datetime.now(UTC)).total_seconds()) > 0:
                await asyncio.sleep(min(wait, LONGEST_WAIT))
            task = asyncio.create_task(self._tick())
            self._ticks.add(task)
            task.add_done_callback(self._ticks.discard)
            last = max(tick, datetime.now(UTC))
        log.warning("the schedule of %s never comes", self._event.attributes["source"])

    async def _tick(self) -> None:
        await asyncio.sleep(random.uniform(0, JITTER_SECONDS))
        await self._sender.send(self._event)
