"""What one server says of itself: read from its agent's `GET /status`, or from `srvr`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.adapters.agent import stats_of
from functions.adapters.words import parse_srvr
from functions.api.errors import Unavailable
from functions.planning.ensemble import ServerStats

_NUMBERS = ("Outstanding", "Received", "Sent")


@dataclass(frozen=True, slots=True)
class Counters:
    """`latency` in milliseconds, on average. `lag`: transactions behind the leader, where known."""

    stats: ServerStats
    latency: float
    outstanding: int
    received: int
    sent: int
    lag: int | None = None

    @property
    def zxid(self) -> int:
        return self.stats.zxid

    @property
    def leads(self) -> bool:
        return self.stats.mode in ("leader", "standalone")


def of_word(text: str, where: str) -> Counters:
    """Return what an answer to `srvr` says; raises Unavailable when it is none."""
    told = parse_srvr(text, where)
    return Counters(
        stats=told.stats,
        latency=told.latency[1] if told.latency else 0.0,
        outstanding=told.counts.get("Outstanding", 0),
        received=told.counts.get("Received", 0),
        sent=told.counts.get("Sent", 0),
    )


def of_agent(told: Mapping[str, Any], where: str) -> Counters:
    """Return what an agent's `GET /status` says; raises Unavailable when it is none."""
    try:
        numbers = {name: int(told[name]) for name in _NUMBERS}
        latency = float(told["AvgLatency"])
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"The agent of {where} does not say how its server is.") from error
    stats = stats_of(told, where)
    return Counters(stats, latency, numbers["Outstanding"], numbers["Received"], numbers["Sent"])
