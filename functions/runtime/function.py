"""From an HTTP request to a function and back: what every function shares.

A function gets the cluster as it is now and the World; it reads, plans and applies. Everything
else (events, answers, logs; in `looks` conflicts) is here, so a function has no `try`, no loop and
no wait.
Answers follow Knative's delivery rules: 204 is success, 409 and 503 are delivered again, 400 goes
to the dead letter sink at once, and a body that is no CloudEvent is never sent with a 2xx.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import Conflict, InvalidEvent, Refused, Unavailable
from functions.api.kinds import Kind, Ref
from functions.api.manifest import Manifest
from functions.api.resource import Unread
from functions.manifests.owned import clusters_of
from functions.planning.exposition import CONTENT_TYPE
from functions.runtime import metrics
from functions.runtime.events import Event, parse_event, subject_of
from functions.runtime.logs import bound
from functions.runtime.looks import S, U, Work, work_on
from functions.runtime.refusals import Refusal
from functions.runtime.senders import arrival, has_hung_up
from functions.runtime.traces import following, trace_of
from functions.runtime.world import World

log = logging.getLogger(__name__)

Handler = Callable[[Event, World], None]
ClusterHandler = Callable[[ZooKeeperCluster, World], None]
# (what an event is about, the world) -> the objects that the function has to look at.
Candidates = Callable[[Ref, World], Sequence[Ref]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: a status and, for errors only, a sentence."""

    status: int
    text: str = ""


class Request(Protocol):
    """What is used of Flask's request."""

    method: str
    path: str
    headers: Mapping[str, str]
    environ: Mapping[str, Any]

    def get_data(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Function:
    """One deployed function: its name and what it does with an event."""

    name: str
    handle: Handler


FUNCTIONS: dict[str, Function] = {}


def cluster_function(
    refusal: Refusal[ZooKeeperCluster] | None = None,
) -> Callable[[ClusterHandler], Callable[[Request], Any]]:
    """Deploy a function of one cluster: it is called for every cluster the event's object is of.

    `refusal` makes the plan that tells the user what was refused.
    """

    def decorate(handler: ClusterHandler) -> Callable[[Request], Any]:
        work = Work(
            parse=ZooKeeperCluster.parse,
            unread=lambda manifest: ZooKeeperCluster.parse({**manifest, "spec": {}}),
            refusal=refusal,
            do=handler,
        )
        return _deploy_for(work, lambda subject, _world: clusters_of(subject))

    return decorate


def object_function(
    parse: Callable[[Manifest], S],
    of: Kind,
    candidates: Candidates,
    refusal: Refusal[Unread] | None = None,
) -> Callable[[Callable[[S, World], None]], Callable[[Request], Any]]:
    """Deploy a function of objects of another of our kinds: those that `candidates` finds.

    `refusal` makes the plan that tells the user what was refused.
    """

    def decorate(handler: Callable[[S, World], None]) -> Callable[[Request], Any]:
        work = Work(parse, lambda manifest: Unread.of(of, manifest), refusal, handler)
        return _deploy_for(work, candidates)

    return decorate


def _deploy_for(work: Work[S, U], candidates: Candidates) -> Callable[[Request], Any]:
    def handle(event: Event, world: World) -> None:
        subject = subject_of(event)
        # An installation for one namespace has no rights elsewhere: a stray event is none of ours.
        if subject is None or not world.settings.looks_at(subject.namespace):
            return
        for ref in candidates(subject, world):
            with bound(**{_bound_as(ref.kind): f"{ref.namespace}/{ref.name}"}):
                work_on(ref, work, world, event.arrived)

    return _deploy(work.do.__name__, handle, work.do)


def _bound_as(kind: Kind) -> str:
    """Return the word under which log lines name the object: cluster, backup or restore."""
    return kind.name.removeprefix("ZooKeeper").lower()


def event_function(work: Handler) -> Callable[[Request], Any]:
    """Deploy a function of the event itself."""
    return _deploy(work.__name__, work, work)


def _deploy(name: str, handle: Handler, work: Callable[..., None]) -> Callable[[Request], Any]:
    function = Function(name.replace("_", "-"), handle)
    FUNCTIONS[function.name] = function
    # The server forks its workers from here on. What was imported stays for good, so the collector
    # need not touch it, and the workers go on sharing its pages: 15 % of a function's memory.
    gc.freeze()
    metrics.begin()

    @functools.wraps(work)
    def serve(request: Request) -> Any:
        if request.method == "GET" and request.path == metrics.PATH:
            return metrics.metrics_of(function.name), 200, {"Content-Type": CONTENT_TYPE}
        begun = time.monotonic()
        reply = _reply(function, request)
        metrics.count_event(reply.status, time.monotonic() - begun)
        return reply.text, reply.status, {"Content-Type": "text/plain; charset=utf-8"}

    return serve


def _reply(function: Function, request: Request) -> Answer:
    body = request.get_data()
    if has_hung_up(request.environ):
        log.info("left to the next delivery", extra={"function": function.name})
        return Answer(503, "The sender has hung up.")
    arrived = arrival(request.environ)
    return answer(function, request.method, request.headers, body, world, arrived)


def answer(
    function: Function,
    method: str,
    headers: Mapping[str, str],
    body: bytes,
    connect: Callable[[], World],
    arrived: float | None = None,
) -> Answer:
    """Return the answer to one request, which had arrived by then; never raises."""
    if method != "POST":
        return Answer(405, "Send a CloudEvent by POST.")
    begun = time.monotonic()
    try:
        event = replace(parse_event(headers, body), arrived=arrived)
        with (
            bound(function=function.name, event=event.id),
            following(trace_of(event.attributes, headers)),
        ):
            return _told(event, deliver(function, event, connect), time.monotonic() - begun)
    except InvalidEvent as error:
        log.warning("bad event", extra={"function": function.name, "why": str(error)})
        return Answer(400, str(error))


def _told(event: Event, reply: Answer, seconds: float) -> Answer:
    """Log that an event was answered: otherwise one that needed no step would leave no line."""
    told = {"status": reply.status, "seconds": round(seconds, 3)}
    about = event.attributes.get("subject", "")
    log.info("answered", extra={**told, "type": event.type, "subject": about})
    return reply


def deliver(function: Function, event: Event, connect: Callable[[], World]) -> Answer:
    """Hand one event to one function and say how it went."""
    try:
        function.handle(event, connect())
    except InvalidEvent:
        raise
    except Conflict as error:
        return _failed(409, error)
    except Unavailable as error:
        return _failed(503, error)
    except Refused as error:
        log.warning("refused", extra={"why": str(error)})
        return Answer(204)
    except Exception:
        # The one place where a bug is caught: logged once, and nothing of it goes to the client.
        log.exception("bug")
        return Answer(500, f"{function.name} failed: see its log.")
    return Answer(204)


def _failed(status: int, error: Exception) -> Answer:
    log.warning("not done", extra={"status": status, "why": str(error)})
    return Answer(status, str(error))


_lock = threading.Lock()
_worlds: list[World] = []


@contextlib.contextmanager
def connected(to: World) -> Iterator[None]:
    """Let the functions of this process work on `to`, instead of connecting at the first event."""
    with _lock:
        before, _worlds[:] = list(_worlds), [to]
    try:
        yield
    finally:
        _worlds[:] = before


def world() -> World:
    """Return the real World of this process, connected at the first event."""
    with _lock:
        if not _worlds:
            from functions.runtime.connect import connect

            _worlds.append(connect())
        return _worlds[0]
