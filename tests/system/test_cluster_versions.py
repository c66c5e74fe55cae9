"""Another version of ZooKeeper is a roll like any other: with the real servers, under writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.clusters import Cluster
from tests.system.writing import continuous_writes

pytestmark = [pytest.mark.system, pytest.mark.soak]


def _go_to(cluster: Cluster, version: str) -> None:
    cluster.patch({"version": version})
    cluster.until_settled(150)
    assert _images(cluster) == {f"zookeeper:{version}"}
    # What the servers say of themselves; the oldest of them, if they differed.
    assert cluster.status()["version"] == version


def _images(cluster: Cluster) -> set[str]:
    containers = [pod["spec"]["containers"] for pod in cluster.pods().values()]
    return {c["image"] for found in containers for c in found if c["name"] == "zookeeper"}


def test_versions_go_up_and_back_again(cluster: Cluster, tmp_path: Path) -> None:
    """The way docs/operations/upgrade-zookeeper.md describes."""
    cluster.apply(replicas=3, version="3.7.0")
    cluster.until_settled()
    for version in ("3.8.4", "3.9.5", "3.8.4", "3.7.0"):
        with continuous_writes(cluster, tmp_path, f"to {version}") as writes:
            _go_to(cluster, version)
        assert writes.elections() == 1
