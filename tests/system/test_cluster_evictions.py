"""Evicting every pod that the API server lets go, all the time, while servers move.

That is what drains, an autoscaler of nodes and a descheduler do together at their worst.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.platform.inside import command_inside
from local.platform.parts import CHECKOUT, environment
from local.platform.state import State
from tests.system import rest
from tests.system.clusters import Cluster
from tests.system.writing import continuous_writes

pytestmark = [pytest.mark.system, pytest.mark.soak]

# A second server that is evicted is away for more than three seconds; on a busy machine one look
# takes half a second.
ONE_LOOK = 2.0
SESSION_SECONDS = 10.0


@contextmanager
def _evictions(cluster: Cluster, file: Path) -> Iterator[dict[str, Any]]:
    """Evict all the time inside; what was seen is known afterwards."""
    seen: dict[str, Any] = {}
    state = State(cluster.platform.state)
    words = ("tests.system.evictor", cluster.namespace, cluster.name, str(file))
    command = command_inside(state, [sys.executable, "-m", *words])
    with subprocess.Popen(command, env=environment(state), cwd=CHECKOUT) as evictor:
        try:
            yield seen
        finally:
            file.with_suffix(".stop").touch()
            evictor.wait(60)
    seen.update(json.loads(file.read_text()))
    sys.stdout.write(f"evictions: {seen}\n")


def test_no_eviction_costs_the_majority_while_servers_move(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.apply(replicas=3)
    cluster.until_settled()
    before = cluster.uids()
    with continuous_writes(cluster, tmp_path, "evicted while 3-5-3 and a roll") as writes:
        with _evictions(cluster, tmp_path / "evictions") as seen:
            _scale(cluster, 5)
            _scale(cluster, 3)
            cluster.patch({"restartedAt": "2026-01-31T12:00:00Z"})
            cluster.until(lambda: not cluster.uids() & before, "every pod is another", 240)
        cluster.until_settled(120)
    assert seen["evicted"] >= 5
    assert seen["longest_lost"] < ONE_LOOK
    assert writes.longest_gap() < SESSION_SECONDS


def _scale(cluster: Cluster, size: int) -> None:
    """The evictions leave no moment in which all is well: the members are what is waited for."""
    cluster.kubectl("scale", "zkcluster", cluster.name, f"--replicas={size}")
    wanted = list(range(1, size + 1))
    cluster.until(lambda: _members(cluster) == wanted, f"{size} members", 240)
    cluster.until(lambda: len(cluster.pods()) <= size, f"{size} pods", 120)


def _members(cluster: Cluster) -> list[int]:
    return [member["id"] for member in cluster.status()["members"]]


def test_at_rest_only_one_of_three_may_go(cluster: Cluster) -> None:
    cluster.apply(replicas=3)
    cluster.until_settled()
    cluster.until(
        lambda: cluster.get("poddisruptionbudget").get("status", {}).get("disruptionsAllowed") == 1,
        "one eviction is allowed",
    )
    kubeconfig = cluster.platform.kubeconfig
    names = sorted(cluster.pods())
    answers = [rest.evict(kubeconfig, cluster.namespace, name) for name in names]
    assert answers == [201, 429, 429]
    cluster.until_settled(60)
