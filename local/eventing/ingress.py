"""The broker's ingress: takes events over HTTP and fans them out to the Broker's Triggers.

The in-memory channel is synchronous by default: the sender gets its answer when every Trigger is
done, retries and dead letters included. With the async annotation it gets 202 at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from local.eventing.dispatch import Dispatcher, Subscription, passed_headers
from local.eventing.events import ARRIVAL, TTL, BadEvent, Event, read_event, timestamp

log = logging.getLogger(__name__)

FIRST_TTL = 255
SYNC_SECONDS = 900.0
LARGEST_EVENT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Route:
    """A Broker: whether its senders wait, and who gets its events."""

    waits: bool
    subscriptions: tuple[Subscription, ...] = ()


class Ingress:
    """Serves POST /<namespace>/<broker>; `routes` is replaced whenever the Brokers change."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.routes: Mapping[tuple[str, str], Route] = {}
        self._dispatcher = dispatcher
        self._running: dict[asyncio.Task[bool], Subscription] = {}

    def app(self) -> web.Application:
        app = web.Application(client_max_size=LARGEST_EVENT)
        app.router.add_route("*", "/{path:.*}", self._receive)
        return app

    async def _receive(self, request: web.Request) -> web.Response:
        if request.method == "OPTIONS":
            return web.Response(headers=_abuse_protection(request))
        if request.method != "POST":
            return web.Response(status=405)
        parts = request.path.rstrip("/").split("/")
        if len(parts) != 3:
            return web.Response(status=400)
        try:
            event = read_event(request.headers, await request.read())
        except BadEvent as error:
            log.info("refused a request to %s: %s", request.path, error)
            return web.Response(status=400)
        route = self.routes.get((parts[1], parts[2]))
        if route is None:
            return web.Response(status=404)
        return web.Response(status=await self.accept(event, route, request.headers))

    async def show_deliveries(self, request: web.Request) -> web.Response:
        """Answer how many deliveries are under way, those that wait for another try included.

        With ?namespace=... those of the Triggers in it.
        """
        asked = request.query.get("namespace")
        there = [it for it in self._running.values() if asked in (None, it.namespace)]
        return web.json_response({"deliveries": len(there)})

    async def accept(self, event: Event, route: Route, headers: Mapping[str, str]) -> int:
        """Count the event's time to live down, and fan it out; return the HTTP status."""
        ttl = _next_ttl(event)
        if ttl <= 0:
            log.warning("dropped event %s: it went round too often", event.attributes["id"])
            return 400
        marked = event.having(**{TTL: str(ttl), ARRIVAL: timestamp()})
        deliver = partial(self._dispatcher.deliver, marked, headers=passed_headers(headers))
        tasks = {asyncio.create_task(deliver(it)): it for it in route.subscriptions}
        self._running |= tasks
        for task in tasks:
            task.add_done_callback(self._ended)
        if not route.waits:
            return 202
        return 202 if await _all_delivered([*tasks]) else 500

    def _ended(self, task: asyncio.Task[bool]) -> None:
        self._running.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a delivery ended with a bug", exc_info=error)

    async def close(self) -> None:
        """Give up what is under way: events of an in-memory channel die with it."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def _all_delivered(tasks: list[asyncio.Task[bool]]) -> bool:
    """Wait for all, but not longer than for the first failure; the others go on by themselves."""
    try:
        for done in asyncio.as_completed(tasks, timeout=SYNC_SECONDS):
            if not await done:
                return False
    except TimeoutError:
        return False
    return True


def _next_ttl(event: Event) -> int:
    text = event.attributes.get(TTL)
    if text is None:
        return FIRST_TTL
    return int(text) - 1 if text.isdigit() else 0


def _abuse_protection(request: web.Request) -> dict[str, str]:
    """Answer the CloudEvents webhook handshake: any origin may send as fast as it likes."""
    origin = request.headers.get("WebHook-Request-Origin")
    if origin is None:
        return {}
    return {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*", "Allow": "POST, OPTIONS"}
