"""From `kubectl apply` to three serving servers, against the same servers started by hand."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from benchmarks.figures import Figure
from benchmarks.running import SAMPLE, Failed, Say, start_inside
from local.platform.handle import Platform

TITLE = "From kubectl apply until all three servers serve"
OURS, BY_HAND = "ZooKeeperCluster", "by hand"
MANIFESTS: Mapping[str, str] = {BY_HAND: "benchmarks/by_hand.yaml", OURS: SAMPLE}
SERVERS = 3
CLIENT_PORT = "2181"
WATCH_SECONDS = 200.0


def measure(platform: Platform, rounds: int, say: Say) -> list[Figure]:
    """Bring up both, in turn, `rounds` times; one extra round warms up."""
    samples: dict[str, list[float]] = {name: [] for name in MANIFESTS}
    for count in range(rounds + 1):
        # Whoever is second finds warmer caches: the two take turns at it.
        for name in sorted(MANIFESTS, reverse=count % 2 == 0):
            seconds = _seconds_to_quorum(platform, MANIFESTS[name])
            say(f"{name}: {seconds:.2f} s{' (warming up)' if count == 0 else ''}")
            samples[name] += [seconds] if count else []
    return [Figure(TITLE, name, "s", samples[name], samples[BY_HAND]) for name in (BY_HAND, OURS)]


def _seconds_to_quorum(platform: Platform, manifest: str) -> float:
    with fresh_namespace(platform) as namespace:
        servers = [f"small-{n}.small.{namespace}.svc.cluster.local" for n in range(SERVERS)]
        command = [sys.executable, "-m", "benchmarks.modes", CLIENT_PORT, *servers]
        watcher = start_inside(platform, command)
        try:
            assert watcher.stdout is not None
            watcher.stdout.readline()
            began = time.monotonic()
            platform.kubectl("apply", "-n", namespace, "-f", manifest)
            said, error = watcher.communicate(timeout=WATCH_SECONDS)
        finally:
            watcher.kill()
    if watcher.returncode != 0:
        raise Failed(f"{manifest}: {error.strip()}")
    return max(float(line.split()[0]) for line in said.splitlines()) - began


@contextmanager
def fresh_namespace(platform: Platform) -> Iterator[str]:
    """A fresh namespace, gone with all its pods before the next measurement begins."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    platform.kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        platform.kubectl("delete", "namespace", name, "--wait=true", "--timeout=100s")
