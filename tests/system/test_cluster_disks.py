"""Lost volumes: an empty disk never votes, so nothing acknowledged is ever forgotten."""

from __future__ import annotations

import pytest

from tests.system.clusters import Cluster, now

pytestmark = pytest.mark.system

LONG_ENOUGH_SECONDS = 8.0


def test_one_lost_volume_heals_by_itself_and_two_are_never_a_new_ensemble(cluster: Cluster) -> None:
    """Seed defects C6 and C7: an empty server 1 formed an ensemble of its own."""
    cluster.apply(replicas=3)
    cluster.until_settled()
    cluster.write("/acknowledged", "yes")
    _lose(cluster, "zk-0")
    cluster.until_settled()
    assert cluster.read("/acknowledged") == {"yes"}
    cluster.until(
        lambda: cluster.servers()["zk-0"]["mode"] in ("leader", "follower"), "its vote", 20
    )

    _lose(cluster, "zk-1", "zk-2")
    since = now()
    cluster.until(lambda: cluster.condition("Available")["status"] == "False", "no quorum")

    def has_waited() -> bool:
        assert cluster.condition("Available")["status"] == "False"
        return (now() - since).total_seconds() > LONG_ENOUGH_SECONDS

    cluster.until(has_waited, "a while without a quorum")
    down = cluster.condition("Available")
    assert down["reason"] == "NoQuorum"
    assert "zk-1" in down["message"]
    assert "zk-2" in down["message"]
    # The one volume with data is as it was.
    kept = cluster.kubectl("exec", "zk-0", "-c", "zookeeper", "--", "ls", "/data/version-2").stdout
    assert "log." in kept or "snapshot." in kept


def _lose(cluster: Cluster, *pods: str) -> None:
    """Delete servers together with their volumes; new and empty ones take their place."""
    claims = [f"data-{pod}" for pod in pods]
    old = {claim: cluster.get("pvc", claim)["metadata"]["uid"] for claim in claims}
    cluster.kubectl("delete", "pvc", *claims, "--wait=false")
    cluster.kubectl("delete", "pod", *pods, "--wait=false")

    def are_new() -> bool:
        found = {claim: cluster.get("pvc", claim) for claim in claims}
        return all(c and c["metadata"]["uid"] != old[name] for name, c in found.items())

    cluster.until(are_new, "new volumes")
    cluster.until(lambda: set(pods) <= set(cluster.pods()), "new pods")
