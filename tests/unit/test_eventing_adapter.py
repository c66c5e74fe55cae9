"""The ApiServerSource's adapter against an API server whose watches follow a script.

The script is the one that the unmodified adapter of Knative was run against.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from local.eventing.api_adapter import AdapterConfig, ApiAdapter
from local.eventing.events import Event
from local.eventing.sender import Sender
from local.eventing.source_sender import SourceSender
from local.kube import KubeClient

DEADLINE_SECONDS = 15.0
RESOURCES = {"resources": [{"name": "pods", "namespaced": True}]}
EVENT = Event({"type": "t", "source": "/x"}, b"{}", "application/json")


def pod(name: str, version: int) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "n", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


def change(kind: str, name: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": pod(name, version)}


EXPIRED = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}


@dataclass
class Scripted:
    """An API server and a sink in one: `watches` holds the answers of one watch after another."""

    watches: list[list[dict[str, Any]]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    got: list[tuple[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    url: str = ""

    async def resources(self, _request: web.Request) -> web.Response:
        return web.json_response(RESOURCES)

    async def pods(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            self.asked.append("list")
            items = [pod("a", 1), pod("b", 2)]
            return web.json_response({"metadata": {"resourceVersion": "9"}, "items": items})
        self.asked.append(f"watch {request.query['resourceVersion']}")
        response = web.StreamResponse()
        await response.prepare(request)
        if not self.watches:
            await asyncio.sleep(DEADLINE_SECONDS)  # nothing more happens; the test ends first
        for event in self.watches.pop(0):
            await response.write(json.dumps(event).encode() + b"\n")
        return response

    async def sink(self, request: web.Request) -> web.Response:
        self.times.append(time.monotonic())
        self.got.append((request.headers["ce-type"].rpartition(".")[2], request.headers["ce-id"]))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 202)

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get("/api/v1", self.resources)
        app.router.add_get("/api/v1/namespaces/n/pods", self.pods)
        app.router.add_post("/sink", self.sink)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = site.name
        try:
            yield
        finally:
            await runner.cleanup()


async def until(look: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not look():
            await asyncio.sleep(0.01)


async def adapt(server: Scripted, done: Callable[[], object]) -> None:
    """Run the adapter against the server until `done`."""
    async with server.served(), KubeClient(server.url) as client, Sender() as sender:
        sink = SourceSender(sender, f"{server.url}/sink", "n")
        resources = ({"apiVersion": "v1", "kind": "Pod"},)
        config = AdapterConfig(resources, ("n",), False, "Reference", None, sink)
        task = asyncio.create_task(ApiAdapter(client, config).run())
        try:
            await until(done)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def types(server: Scripted) -> list[str]:
    return [kind for kind, _ in server.got]


def test_existing_objects_and_the_gap_behind_a_410_are_never_sent() -> None:
    server = Scripted(
        watches=[
            [change("MODIFIED", "a", 10), EXPIRED],
            [change("ADDED", "d", 20), change("DELETED", "a", 21)],
        ]
    )
    asyncio.run(adapt(server, lambda: len(server.got) == 3))
    assert types(server) == ["update", "add", "delete"]
    assert server.asked[:4] == ["list", "watch 9", "list", "watch 9"]


def test_a_watch_that_ends_is_taken_up_where_it_was() -> None:
    server = Scripted(watches=[[change("ADDED", "c", 11)], [change("ADDED", "d", 12)]])
    asyncio.run(adapt(server, lambda: len(server.got) == 2))
    assert server.asked[:3] == ["list", "watch 9", "watch 11"]


def test_an_event_waits_until_the_one_before_it_was_taken() -> None:
    changes = [change("ADDED", "c", 11), change("MODIFIED", "c", 12)]
    server = Scripted(watches=[changes], statuses=[503, 503, 202])
    asyncio.run(adapt(server, lambda: len(server.got) == 4))
    assert types(server) == ["add", "add", "add", "update"]
    assert len({id for _, id in server.got}) == 2, "a retry keeps the event's id"


def test_an_event_is_dropped_after_the_sink_answered_500() -> None:
    """500 is final for a source: only some answers are worth another try."""
    changes = [change("ADDED", "c", 11), change("MODIFIED", "c", 12)]
    server = Scripted(watches=[changes], statuses=[500])
    asyncio.run(adapt(server, lambda: len(server.got) == 2))
    assert types(server) == ["add", "update"]


def test_a_source_tries_five_times_more_with_doubling_waits_and_then_drops() -> None:
    async def send(server: Scripted) -> bool:
        async with server.served(), Sender() as sender:
            return await SourceSender(sender, f"{server.url}/sink", "n").send(EVENT)

    server = Scripted(statuses=[503] * 6)
    assert asyncio.run(send(server)) is False
    waits = [after - before for before, after in zip(server.times, server.times[1:], strict=False)]
    assert len(waits) == 5
    for seen, wanted in zip(waits, (0.1, 0.2, 0.4, 0.8, 1.6), strict=True):
        assert wanted <= seen < wanted + 0.15
