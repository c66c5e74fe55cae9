"""One delivery, tried against an in-process server: replies that fail, dead letters, no policy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from gunicorn.config import Keepalive

from local.eventing.delivery import Retries
from local.eventing.dispatch import Dispatcher, Subscription
from local.eventing.events import Event
from local.eventing.faults import Faults
from local.eventing.sender import IDLE_SECONDS, Sender

EVENT = Event(
    {"specversion": "1.0", "id": "1", "source": "/x", "type": "t", "knativebrokerttl": "7"},
    b"{}",
    "application/json",
)
REPLY = {"ce-specversion": "1.0", "ce-id": "r", "ce-source": "/f", "ce-type": "reply"}


@dataclass
class Receiver:
    """A subscriber, a reply target and a dead letter sink, each with its status and headers."""

    answers: Mapping[str, tuple[int, Mapping[str, str]]]
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((request.path, headers))
        self.times.append(time.monotonic())
        status, answered = self.answers.get(request.path, (204, {}))
        return web.Response(status=status, headers=dict(answered))

    def paths(self) -> list[str]:
        return [path for path, _ in self.seen]


def deliver(receiver: Receiver, retries: Retries, *, dead_letter: bool = True) -> bool:
    """Deliver one event to /subscriber with replies to /reply; return whether it counts."""

    async def run() -> bool:
        app = web.Application()
        app.router.add_post("/{path}", receiver.receive)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        subscription = Subscription(
            namespace="n",
            name="t",
            matches=lambda event: event.get("knativebrokerttl") is None,
            subscriber=f"{site.name}/subscriber",
            reply=f"{site.name}/reply",
            retries=retries,
            dead_letter=f"{site.name}/dls" if dead_letter else None,
        )
        async with Sender() as sender:
            taken = await Dispatcher(sender, Faults()).deliver(EVENT, subscription, {})
        await runner.cleanup()
        return taken

    return asyncio.run(run())


def test_a_failing_reply_is_sent_again_without_asking_the_subscriber_again() -> None:
    receiver = Receiver({"/subscriber": (200, REPLY), "/reply": (500, {})})
    assert deliver(receiver, Retries(count=1))
    assert receiver.paths() == ["/subscriber", "/reply", "/reply", "/dls"]
    letter = receiver.seen[-1][1]
    assert letter["ce-id"] == "1", "the dead letter is the event that was answered"
    assert letter["ce-knativeerrordest"].endswith("/reply")
    assert letter["ce-knativeerrorcode"] == "500"


def test_a_reply_takes_over_the_time_to_live_and_the_subscriber_never_sees_it() -> None:
    receiver = Receiver({"/subscriber": (200, REPLY)})
    assert deliver(receiver, Retries())
    (_, asked), (_, reply) = receiver.seen
    assert "ce-knativebrokerttl" not in asked
    assert reply["ce-knativebrokerttl"] == "7"


def test_without_a_policy_the_retries_follow_at_once() -> None:
    receiver = Receiver({"/subscriber": (500, {})})
    assert deliver(receiver, Retries(count=3))
    assert receiver.paths() == ["/subscriber"] * 4 + ["/dls"]
    assert receiver.times[-1] - receiver.times[0] < 0.2


@pytest.mark.parametrize("status", [400, 401, 410, 304])
def test_a_final_answer_goes_to_the_dead_letters_at_once(status: int) -> None:
    receiver = Receiver({"/subscriber": (status, {})})
    assert deliver(receiver, Retries(count=3))
    assert receiver.paths() == ["/subscriber", "/dls"]


def test_a_failure_without_dead_letter_sink_counts_as_failed() -> None:
    assert not deliver(Receiver({"/subscriber": (400, {})}), Retries(), dead_letter=False)


def test_a_dead_letter_that_nobody_takes_is_tried_again_and_counts_as_failed() -> None:
    receiver = Receiver({"/subscriber": (400, {}), "/dls": (503, {})})
    assert not deliver(receiver, Retries(count=2))
    assert receiver.paths() == ["/subscriber", "/dls", "/dls", "/dls"]


def test_a_malformed_event_as_answer_counts_as_502() -> None:
    receiver = Receiver({"/subscriber": (200, {**REPLY, "ce-type": ""})})
    assert deliver(receiver, Retries(count=1))
    assert receiver.paths() == ["/subscriber", "/subscriber", "/dls"]
    assert "ce-knativeerrorcode" not in receiver.seen[-1][1]


def test_a_long_answer_is_cut_in_the_dead_letter() -> None:
    class Talkative(Receiver):
        async def receive(self, request: web.Request) -> web.Response:
            await super().receive(request)
            wrong = request.path == "/subscriber"
            return web.Response(status=400 if wrong else 204, body=b"x" * 5000 if wrong else b"")

    receiver = Talkative({})
    assert deliver(receiver, Retries())
    assert len(receiver.seen[-1][1]["ce-knativeerrordata"]) == 1024


def test_an_idle_connection_is_given_up_before_a_functions_server_ends_it() -> None:
    """An event that is sent on a connection that ends is lost until it is tried again."""
    assert Keepalive.default / 2 >= IDLE_SECONDS


def test_many_events_for_one_host_share_a_few_connections_and_all_arrive() -> None:
    at_once, most = 0, 0

    async def receive(_: web.Request) -> web.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return web.Response(status=204)

    async def run() -> list[int]:
        app = web.Application()
        app.router.add_post("/", receive)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with Sender(to_one_host=3) as sender:
            sent = await asyncio.gather(*(sender.send(site.name, EVENT) for _ in range(12)))
        await runner.cleanup()
        return [answer.status for answer in sent]

    assert asyncio.run(run()) == [204] * 12
    assert most == 3
