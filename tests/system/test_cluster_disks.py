"""Lost volumes: an empty disk never votes, so nothing acknowledged is forgotten without a word."""

from __future__ import annotations

import pytest

from tests.system.clusters import Cluster
from tests.system.disks import (
    last_zxid,
    lose,
    scaled,
    stays_down,
    until_lost,
)

pytestmark = pytest.mark.system


def test_one_lost_volume_heals(cluster: Cluster) -> None:
    """Seed defects C6 and C7: an empty server 1 formed an ensemble of its own."""
    cluster.apply(replicas=3)
    cluster.until_settled()
    cluster.write("/acknowledged", "yes")
    lose(cluster, "zk-0")
    cluster.until_settled()
    assert cluster.read("/acknowledged") == {"yes"}
    cluster.until(
        lambda: cluster.servers()["zk-0"]["mode"] in ("leader", "follower"), "its vote", 20
    )


@pytest.mark.soak
def test_after_two_lost_volumes_a_person_says_how_to_go_on(cluster: Cluster) -> None:
    cluster.apply(replicas=3)
    cluster.until_settled()
    cluster.write("/acknowledged", "yes, and later too")
    incident = _two_are_told(cluster)
    before = cluster.uid_of_pods()
    _another_incident_counts_for_nothing(cluster)
    assert cluster.uid_of_pods() == before

    cluster.patch({"recovery": {"incident": incident, "continueFrom": "zk-2"}})
    status = cluster.until_settled()
    assert cluster.read("/acknowledged") == {"yes, and later too"}
    assert {"incident", "recovery", "operation"}.isdisjoint(status)
    assert "Recovered" in cluster.events()
    replaced = {name for name, uid in cluster.uid_of_pods().items() if uid != before[name]}
    assert replaced == {"zk-0"}, "as many as the quorum lacked"


def _two_are_told(cluster: Cluster) -> str:
    zxid = last_zxid(cluster, "zk-2")
    lose(cluster, "zk-0", "zk-1")
    down = until_lost(cluster)
    assert "zk-0 and zk-1 have lost the data on disk" in down
    assert f"zk-2 holds data up to {zxid}." in down
    incident = str(cluster.status()["incident"])
    assert f"{{incident: {incident}, continueFrom: zk-2}}" in down
    assert incident in cluster.events()["MajorityLost"]
    return incident


def _another_incident_counts_for_nothing(cluster: Cluster) -> None:
    cluster.patch({"recovery": {"incident": "another", "continueFrom": "zk-2"}})
    cluster.until(lambda: "quotes another incident" in scaled(cluster)["message"], "its answer")
    stays_down(cluster)
