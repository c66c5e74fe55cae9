"""What a function answers to `GET /metrics`: what it has done since it started.

A function that is not needed has no process, so these numbers begin anew with each one, as
Prometheus expects of counters. What must be seen although nothing runs, the state of the objects,
comes from `resync`, which runs all the time.
"""

from __future__ import annotations

import time

from functions.adapters.counters import API_REQUESTS, Counter, Histogram, process_families
from functions.planning.exposition import exposition

PATH = "/metrics"
ANSWERS = ("204", "400", "409", "500", "503")
# What `resync` saw is told so long. It looks every few seconds; if it does not any more, another
# process may, or nobody: then saying nothing is more honest than saying what was.
FRESH_SECONDS = 120.0

EVENTS = Counter(
    "zookeeper_function_events_total", "Events handled, by the status of the answer.", "code"
)
SECONDS = Histogram(
    "zookeeper_function_event_seconds",
    "How long an event took, from the request to the answer.",
    (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
STEPS = Counter("zookeeper_function_steps_total", "Steps carried out, by their kind.", "step")


class Standing:
    """The text about all objects as `resync` saw them last."""

    def __init__(self) -> None:
        self._text, self._until = "", 0.0

    def show(self, text: str, seconds: float = FRESH_SECONDS) -> None:
        self._text, self._until = text, time.monotonic() + seconds

    def text(self) -> str:
        return self._text if time.monotonic() < self._until else ""


STANDING = Standing()


def begin() -> None:
    """Show every usual answer as zero: an increase from nothing is one that nobody sees."""
    for code in ANSWERS:
        EVENTS.add(code, by=0)


def count_event(status: int, seconds: float) -> None:
    EVENTS.add(str(status))
    SECONDS.observe(seconds)


def metrics_of(function: str) -> str:
    """Return everything this process has to tell."""
    also = {"function": function}
    counted = (kind.family(also) for kind in (EVENTS, SECONDS, STEPS, API_REQUESTS))
    return exposition((*counted, *process_families(also))) + STANDING.text()
