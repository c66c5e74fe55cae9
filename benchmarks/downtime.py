"""How long clients are without the servers while a backup is put back, beside a stop and a start.

The same ensemble is stopped and started (`spec.stopped`), which is the least that a restore in
place can cost. Both are waited for by the same clients, which try again every few milliseconds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count

from benchmarks.figures import Figure
from benchmarks.moves import NAME
from benchmarks.quorum import fresh_namespace
from benchmarks.running import SAMPLE, Failed, Say, start_inside
from local.platform.handle import Platform, eventually
from local.stores import place
from tests.system.backups import backup, fill, give_keys, location, restore
from tests.system.clusters import Cluster

SECONDS = 180.0
TITLE = "Longest wait of a client during a restore in place"
RESTORE, BASELINE = "ZooKeeperRestore", "stop and start"
_numbers = count()


def measure(platform: Platform, rounds: int, say: Say) -> list[Figure]:
    """Stop and start one ensemble, and restore into it, in turn."""
    samples: dict[str, list[float]] = {RESTORE: [], BASELINE: []}
    with fresh_namespace(platform) as namespace:
        cluster = Cluster(platform, namespace, NAME)
        platform.kubectl("apply", "-n", namespace, "-f", SAMPLE)
        cluster.until_settled(SECONDS)
        key = _backed_up(cluster)
        moves = {
            BASELINE: lambda: _stop_and_start(cluster),
            RESTORE: lambda: _restore(cluster, key),
        }
        for number in range(rounds):
            # Whoever is second finds warmer caches: the two take turns at it.
            for name in sorted(moves, reverse=number % 2 == 0):
                cluster.until_settled(SECONDS)
                samples[name].append(_longest_wait(cluster, moves[name]))
                say(f"{name}: {samples[name][-1]:.2f} s")
    return [Figure(TITLE, name, "s", samples[name], samples[BASELINE]) for name in samples]


def _backed_up(cluster: Cluster) -> str:
    """Give the ensemble some data, and return the key of a backup of it."""
    give_keys(cluster)
    fill(cluster)
    status = backup(cluster, "nightly", location(place.S3)).until_over(SECONDS)
    if status["status"] != "completed":
        raise Failed(f"the backup ended as {status['status']}: {status.get('message')}")
    return str(status["record"][0]["key"])


def _longest_wait(cluster: Cluster, move: Callable[[], None]) -> float:
    command = [sys.executable, "-m", "benchmarks.clients", cluster.service]
    clients = start_inside(cluster.platform, command)
    try:
        assert clients.stdout is not None
        clients.stdout.readline()
        move()
        said, error = clients.communicate(timeout=SECONDS)
    finally:
        clients.kill()
    if clients.returncode:
        raise Failed(error.strip())
    return float(said)


def _stop_and_start(cluster: Cluster) -> None:
    cluster.patch({"stopped": True})
    eventually(lambda: not cluster.pods(), seconds=SECONDS, what="every server has stopped")
    cluster.patch({"stopped": False})
    cluster.until_settled(SECONDS)


def _restore(cluster: Cluster, key: str) -> None:
    made = restore(cluster, f"in-place-{next(_numbers)}", location(place.S3, key=key))
    status = made.until_over(SECONDS)
    if status["status"] != "restarted":
        raise Failed(f"the restore ended as {status['status']}: {status.get('message')}")
    cluster.until_settled(SECONDS)
