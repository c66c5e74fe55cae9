"""What this process has done so far, as counters that Prometheus reads.

Our own few lines: the official client library brings collectors, registries and a server that a
function never needs, and a cold start would pay for all of them.
"""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from functions.planning.exposition import Family, Sample, gauge

Labels = tuple[str, ...]

_STARTED = time.time()
_STATM = Path("/proc/self/statm")


class Counter:
    """A number for each combination of its labels' values; it only grows."""

    def __init__(self, name: str, help: str, *labels: str) -> None:
        self._name, self._help, self._labels = name, help, labels
        self._counts: defaultdict[Labels, float] = defaultdict(float)
        self._guard = threading.Lock()

    def add(self, *values: str, by: float = 1) -> None:
        """Count; by 0 the combination is shown before it ever happened."""
        with self._guard:
            self._counts[values] += by

    def family(self, also: Mapping[str, str]) -> Family:
        with self._guard:
            counts = sorted(self._counts.items())
        named = ((dict(zip(self._labels, values, strict=True)), n) for values, n in counts)
        samples = tuple(Sample(count, {**also, **labels}) for labels, count in named)
        return Family(self._name, "counter", self._help, samples)


class Histogram:
    """How many observations were at most each bound, and their sum."""

    def __init__(self, name: str, help: str, bounds: tuple[float, ...]) -> None:
        self._name, self._help, self._bounds = name, help, bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._guard = threading.Lock()

    def observe(self, value: float) -> None:
        with self._guard:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += value

    def family(self, also: Mapping[str, str]) -> Family:
        with self._guard:
            counts, total = list(self._counts), self._sum
        names = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        buckets = tuple(
            Sample(sum(counts[: index + 1]), {**also, "le": name}, "_bucket")
            for index, name in enumerate(names)
        )
        ends = (Sample(total, also, "_sum"), Sample(sum(counts), also, "_count"))
        return Family(self._name, "histogram", self._help, (*buckets, *ends))


# Every request to the API server goes through one place, and is counted there.
API_REQUESTS = Counter(
    "zookeeper_function_api_requests_total",
    "Requests to the API server, by method and status (none: no answer came).",
    "method",
    "code",
)


def process_families(also: Mapping[str, str]) -> tuple[Family, ...]:
    """Return what this process takes, under the names that every client library uses."""
    started = gauge(
        "process_start_time_seconds", "When the process began, in Unix time.", (_STARTED, also)
    )
    pages = _STATM.read_text().split()[1]
    resident = int(pages) * os.sysconf("SC_PAGE_SIZE")
    memory = gauge("process_resident_memory_bytes", "Memory in use.", (resident, also))
    return started, memory
