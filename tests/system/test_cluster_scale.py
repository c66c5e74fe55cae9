"""Changing the number of servers, rolling and losing the leader under a continuous writer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.clusters import Cluster, signal_server
from tests.system.writing import continuous_writes

pytestmark = pytest.mark.system


def _scale(cluster: Cluster, size: int) -> None:
    """Scale as a user does, and wait until it is done."""
    cluster.kubectl("scale", "zkcluster", cluster.name, f"--replicas={size}")
    status = cluster.until_settled(240)
    assert [member["id"] for member in status["members"]] == list(range(1, size + 1))
    assert len(cluster.pods()) == size


@pytest.mark.anywhere
@pytest.mark.parametrize("most", [4, pytest.param(5, marks=pytest.mark.soak)])
def test_no_acknowledged_write_is_lost_while_the_ensemble_grows_shrinks_and_rolls(
    cluster: Cluster, tmp_path: Path, most: int
) -> None:
    cluster.apply(replicas=3, storage={"size": "1Gi", "onScaleDown": "Delete"})
    cluster.until_settled()
    before = cluster.uids()
    with continuous_writes(cluster, tmp_path, f"3-{most}-3") as writes:
        _scale(cluster, most)
        assert len(cluster.all_of("pvc")) == most
        _scale(cluster, 3)
        cluster.until(lambda: len(cluster.all_of("pvc")) == 3, "volumes of servers that left go")
    # Each new leader begins an epoch, which every acknowledged write carries.
    assert writes.elections() == 0, "the leader stayed"
    with continuous_writes(cluster, tmp_path, "a roll") as writes:
        cluster.patch({"restartedAt": "2026-01-31T12:00:00Z"})
        cluster.until_settled(120)
    assert writes.elections() == 1, "the leader was replaced, and last"
    assert not cluster.uids() & before
    assert "operation" not in cluster.status()


@pytest.mark.soak
def test_one_server_becomes_three_and_one_again_with_its_data(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.apply(replicas=1)
    cluster.until_settled()
    with continuous_writes(cluster, tmp_path, "1-3-1"):
        _scale(cluster, 3)
        _scale(cluster, 1)


@pytest.mark.soak
def test_a_target_changed_midway_is_reached(cluster: Cluster, tmp_path: Path) -> None:
    cluster.apply(replicas=3)
    cluster.until_settled()
    with continuous_writes(cluster, tmp_path, "3-5-3 midway"):
        cluster.kubectl("scale", "zkcluster", cluster.name, "--replicas=5")
        cluster.until(lambda: len(cluster.pods()) > 3, "new pods start")
        _scale(cluster, 3)


@pytest.mark.soak
def test_a_roll_replaces_every_pod_once_and_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    cluster.apply(replicas=3)
    cluster.until_settled()
    before = {name: pod["metadata"]["uid"] for name, pod in cluster.pods().items()}
    leader = cluster.status()["leader"]
    with continuous_writes(cluster, tmp_path, "roll"):
        cluster.patch({"restartedAt": "2026-01-31T12:00:00Z"})
        cluster.until_settled(120)
    after = {name: pod["metadata"] for name, pod in cluster.pods().items()}
    assert set(after) == set(before)
    assert not {meta["uid"] for meta in after.values()} & set(before.values())
    newest = max(after, key=lambda name: after[name]["creationTimestamp"])
    assert newest == leader


@pytest.mark.soak
def test_a_roll_to_a_missing_version_costs_one_server_and_goes_back(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.apply(replicas=3)
    cluster.until_settled()
    with continuous_writes(cluster, tmp_path, "roll to a missing version"):
        cluster.patch({"version": "3.9.99"})
        cluster.until(
            lambda: cluster.condition("Updated")["reason"] == "PodNotHealthy", "the roll stops", 60
        )
        assert "ImagePull" in cluster.condition("Updated")["message"]
        assert cluster.condition("Available")["status"] == "True"
        cluster.patch({"version": "3.9.5"})
        cluster.until_settled(90)


@pytest.mark.soak
def test_a_killed_leader_loses_nothing_while_the_ensemble_grows(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.apply(replicas=3)
    leader = cluster.until_settled()["leader"]
    with continuous_writes(cluster, tmp_path, "leader killed while growing"):
        cluster.kubectl("scale", "zkcluster", cluster.name, "--replicas=4")
        cluster.until(lambda: len(cluster.pods()) > 3, "a new pod starts")
        signal_server(cluster, leader, "SIGKILL")
        _scale(cluster, 4)


@pytest.mark.soak
def test_one_server_becomes_nine_and_one_again_with_its_data(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.apply(replicas=1)
    cluster.until_settled()
    with continuous_writes(cluster, tmp_path, "1-9-1"):
        _scale(cluster, 9)
        _scale(cluster, 1)
