"""What many clusters may cost: the bounds of `python -m benchmarks load`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

# 150 MB.
MOST_MEMORY_MIB = 143.0
# Growth per cluster from one size to the next larger one; 1 is linear.
MOST_GROWTH_OF_REQUESTS = 1.25
MOST_GROWTH_OF_TIME = 2.0
# A few clusters take so little time that a second more or less is a multiple, and more of their
# events come together.
FEWEST_COMPARED = 100
# Reads per cluster at any size, however few: what they were when every delivery made a look of its
# own (measured: 23, 191 and 111 at most), before events that queue were answered together.
RESYNC, CHANGE, STIR = "a resync of all", "a change of each", "ten events of each pod"
MOST_READS = {RESYNC: 25.0, CHANGE: 200.0, STIR: 115.0}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one action took, for so many clusters.

    Seconds until the last request of a function, requests to the API server, processor time of all
    functions, and the most memory that a function held at any look, in MiB, and which one it was.
    """

    clusters: int
    seconds: float
    reads: int
    writes: int
    processor: float
    memory: float
    function: str
    given_up: int

    def __str__(self) -> str:
        return (
            f"{self.seconds:.1f} s, {self.reads} reads, {self.writes} writes, "
            f"{self.processor:.1f} s of processor, {self.memory:.0f} MiB at most "
            f"({self.function}), {self.given_up} events given up"
        )


def broken(found: Mapping[str, Sequence[Cost]], idle: str) -> list[str]:
    """Return a sentence for each bound that is broken; `idle` is what may not write."""
    return [
        f"{costs_of.clusters} clusters, {name}: {problem}"
        for name, costs in found.items()
        for costs_of, problem in (
            *_alone(costs, may_write=name != idle),
            *_read(costs, MOST_READS.get(name)),
            *_grown(costs),
        )
    ]


def _alone(costs: Sequence[Cost], *, may_write: bool) -> Iterator[tuple[Cost, str]]:
    for cost in costs:
        if cost.memory > MOST_MEMORY_MIB:
            yield cost, f"{cost.function} held {cost.memory:.0f} MiB of {MOST_MEMORY_MIB:.0f}"
        if cost.given_up:
            yield cost, f"{cost.given_up} events were given up"
        if cost.writes and not may_write:
            yield cost, f"{cost.writes} requests wrote although nothing happened"


def _read(costs: Sequence[Cost], most: float | None) -> Iterator[tuple[Cost, str]]:
    for cost in costs:
        if most is not None and cost.reads > most * cost.clusters:
            each = cost.reads / cost.clusters
            yield (
                cost,
                f"{each:.0f} reads per cluster, {most:.0f} if each delivery looked for itself",
            )


def _grown(costs: Sequence[Cost]) -> Iterator[tuple[Cost, str]]:
    for less, more in pairwise(sorted(costs, key=lambda cost: cost.clusters)):
        if less.clusters < FEWEST_COMPARED:
            continue
        times = more.clusters / less.clusters
        for what, small, large, most in (
            ("reads", less.reads, more.reads, MOST_GROWTH_OF_REQUESTS),
            ("writes", less.writes, more.writes, MOST_GROWTH_OF_REQUESTS),
            ("seconds", less.seconds, more.seconds, MOST_GROWTH_OF_TIME),
            ("processor time", less.processor, more.processor, MOST_GROWTH_OF_TIME),
        ):
            if small and large / small / times > most:
                growth = large / small / times
                yield more, f"{what} per cluster grew {growth:.2f} times from {less.clusters} on"
