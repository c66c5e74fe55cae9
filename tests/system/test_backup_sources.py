"""What a backup is taken from: the leader, a streamed snapshot, the best disk left of three."""

from __future__ import annotations

import json

import pytest

from local.platform.handle import Platform
from local.platform.state import State
from local.stores import place
from tests.system.backups import Asked, backup, give_keys, location
from tests.system.clusters import Cluster
from tests.system.faults import clear, strike
from tests.system.rest import Manifest

pytestmark = [pytest.mark.system, pytest.mark.soak]


@pytest.fixture(scope="module")
def trio(product: Platform, shared_namespace: str) -> Cluster:
    """Three servers with their AdminServers on, and the stores' keys beside them."""
    cluster = Cluster(product, shared_namespace, "trio")
    give_keys(cluster)
    cluster.apply(replicas=3, adminServer={"enabled": True})
    cluster.until_settled(120)
    cluster.write("/kept", "value")
    return cluster


def _record(made: Asked) -> Manifest:
    status = made.until_over(150)
    assert status["status"] == "completed", status
    (record,) = status["record"]
    return dict(record)


def _manifest(cluster: Cluster, record: Manifest) -> Manifest:
    bucket = place.folder(State(cluster.platform.state), place.S3) / place.BUCKET
    found: Manifest = json.loads((bucket / record["key"] / "manifest.json").read_text())
    return found


def test_the_leader_is_backed_up_when_an_admin_server_is_asked_for_it(trio: Cluster) -> None:
    leader = trio.status()["leader"]
    source = {"name": trio.name, "host": trio.status()["service"]}
    record = _record(backup(trio, "of-the-leader", location(place.S3), source=source))
    assert record["server"] == leader
    assert record["verified"] is True


def test_a_snapshot_is_streamed_by_the_admin_server_and_proven(trio: Cluster) -> None:
    record = _record(backup(trio, "streamed", location(place.S3), method="snapshot"))
    manifest = _manifest(trio, record)
    assert manifest["method"] == "snapshot"
    assert manifest["quorum"] is True
    assert record["verified"] is True


def test_without_a_quorum_the_best_disk_is_backed_up_and_the_record_says_so(trio: Cluster) -> None:
    """A majority that is only away: what the last server has may be all there is."""
    strike(trio, "pause", "trio-1", "trio-2")
    try:
        trio.until(lambda: trio.condition("QuorumHealthy")["reason"] == "NoQuorum", "no quorum", 90)
        made = backup(trio, "best-disk", location(place.S3))
        record = _record(made)
    finally:
        clear(trio.platform)
    assert _manifest(trio, record)["quorum"] is False
    assert "No server served." in made.message
    assert record["verified"] is True
    trio.until_settled(120)
    assert trio.read("/kept") == {"value"}
