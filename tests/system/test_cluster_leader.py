"""How long taking the leader out stalls those who write: beside the same by hand, in one run."""

from __future__ import annotations

import base64
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.clusters import Cluster, signal_server
from tests.system.writing import continuous_writes

pytestmark = [pytest.mark.system, pytest.mark.soak]

ROUNDS = 5
MOST = 1.5
LAST = 3


def test_taking_the_leader_out_stalls_little_longer_than_by_hand(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.apply(replicas=LAST)
    gaps: dict[str, list[float]] = {"by hand": [], "scale": []}
    ways = {"by hand": _take_out_by_hand, "scale": lambda found: _scale(found, LAST - 1)}
    for _ in range(ROUNDS):
        for way, take_out in ways.items():
            gaps[way].append(_stall(cluster, tmp_path, way, take_out))
    ratio = statistics.median(gaps["scale"]) / statistics.median(gaps["by hand"])
    sys.stdout.write(f"longest gaps {json.dumps(gaps)}, ratio of medians {ratio:.2f}\n")
    assert ratio <= MOST


def _stall(cluster: Cluster, folder: Path, way: str, take_out: Callable[[Cluster], None]) -> float:
    """Go back to three servers, let the last one lead, take it out; return the longest gap."""
    _scale(cluster, LAST)
    while (leader := cluster.until_settled(120)["leader"]) != f"{cluster.name}-{LAST - 1}":
        _hand_over(cluster, leader)
    with continuous_writes(cluster, folder, f"the leader taken out ({way})") as writes:
        take_out(cluster)
    assert writes.elections() == 1
    return writes.longest_gap()


def _hand_over(cluster: Cluster, leader: str) -> None:
    signal_server(cluster, leader, "SIGKILL")
    cluster.until(lambda: cluster.status().get("leader", leader) != leader, "another leader")


def _take_out_by_hand(cluster: Cluster) -> None:
    """Take it out and stop it at once, while the functions look on."""
    cluster.patch({"paused": True})
    cluster.until(lambda: cluster.condition("Scaled")["reason"] == "Paused", "the pause")
    secret = cluster.get("secret", f"{cluster.name}-super-user")
    password = base64.b64decode(secret["data"]["password"]).decode()
    words = (cluster.namespace, cluster.name, password, str(LAST - 1))
    cluster.platform.run(sys.executable, "-m", "benchmarks.by_hand", *words)
    cluster.patch({"paused": False, "replicas": LAST - 1})
    cluster.until_settled(120)


def _scale(cluster: Cluster, size: int) -> None:
    cluster.kubectl("scale", "zkcluster", cluster.name, f"--replicas={size}")
    status = cluster.until_settled(120)
    assert [member["id"] for member in status["members"]] == list(range(1, size + 1))
