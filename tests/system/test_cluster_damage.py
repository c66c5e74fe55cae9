"""Damaged files, ephemeral disks and volumes of other ensembles: what is said, and the way out."""

from __future__ import annotations

import pytest

from tests.system.clusters import Cluster, signal_server
from tests.system.disks import last_zxid, scaled, until_lost

pytestmark = [pytest.mark.system, pytest.mark.soak]

DAMAGE = "for file in /data/version-2/log.* /data/version-2/snapshot.*; do echo no > $file; done"


def test_a_server_with_damaged_files_is_named_and_heals_once_they_are_given_up(
    cluster: Cluster,
) -> None:
    """As docs/operations/lost-disk.md says."""
    cluster.apply(replicas=3)
    cluster.until_settled()
    cluster.write("/acknowledged", "yes")
    cluster.kubectl("exec", "zk-1", "-c", "zookeeper", "--", "sh", "-c", DAMAGE)
    signal_server(cluster, "zk-1", "SIGKILL")

    def is_named() -> bool:
        message = cluster.condition("QuorumHealthy")["message"]
        return "zk-1 zookeeper CrashLoopBackOff" in message

    cluster.until(is_named, "the pod and its trouble", 60)
    assert cluster.condition("Available")["status"] == "True"
    cluster.kubectl("delete", "pvc", "data-zk-1", "--wait=false")
    cluster.kubectl("delete", "pod", "zk-1")
    cluster.until_settled()
    assert cluster.read("/acknowledged") == {"yes"}


def test_ephemeral_servers_go_on_from_the_one_that_is_left(cluster: Cluster) -> None:
    cluster.apply(replicas=3, storage={"ephemeral": True})
    cluster.until_settled()
    cluster.write("/acknowledged", "yes")
    zxid = last_zxid(cluster, "zk-2")
    cluster.kubectl("delete", "pod", "zk-0", "zk-1", "--wait=false")
    down = until_lost(cluster)
    assert "ephemeral storage goes with its pod" in down
    assert f"zk-2 holds data up to {zxid}." in down
    incident = cluster.status()["incident"]
    kept = cluster.uid_of_pods()["zk-2"]
    cluster.patch({"restartedAt": "2026-01-31T12:00:00Z"})
    cluster.until(lambda: cluster.condition("Updated")["reason"] == "WouldLoseData", "its refusal")
    cluster.patch({"restartedAt": None})
    assert cluster.uid_of_pods()["zk-2"] == kept
    cluster.patch({"recovery": {"incident": incident, "continueFrom": "zk-2"}})
    cluster.until_settled()
    assert cluster.read("/acknowledged") == {"yes"}


def test_volumes_that_make_no_ensemble_are_refused_and_kept(cluster: Cluster) -> None:
    cluster.apply(replicas=3)
    cluster.until_settled()
    cluster.write("/acknowledged", "yes")
    zxid = last_zxid(cluster, "zk-0")
    cluster.kubectl("delete", "zkcluster", "zk")
    cluster.until(lambda: not cluster.pods(), "the end of the pods")
    cluster.kubectl("delete", "pvc", "data-zk-1", "data-zk-2")
    cluster.apply(replicas=3)
    cluster.until(lambda: scaled(cluster)["reason"] == "VolumesDoNotMatch", "its refusal", 60)
    said = scaled(cluster)["message"]
    assert f"zk-0 holds data up to {zxid} and a list of the servers 1, 2, 3." in said
    assert set(cluster.pods()) == {"zk-0"}
    assert cluster.condition("Available")["status"] == "False"


def test_a_server_that_lost_only_its_log_volume_heals(cluster: Cluster) -> None:
    """Its snapshots alone lack what was acknowledged since, and would vote all the same."""
    cluster.apply(replicas=3, storage={"size": "1Gi", "log": {"size": "1Gi"}})
    cluster.until_settled()
    cluster.write("/acknowledged", "yes")
    cluster.kubectl("delete", "pvc", "datalog-zk-1", "--wait=false")
    cluster.kubectl("delete", "pod", "zk-1")
    cluster.until_settled()
    assert cluster.read("/acknowledged") == {"yes"}
    found = cluster.kubectl("exec", "zk-1", "-c", "zookeeper", "--", "ls", "/data").stdout
    assert "version-2.aside-" in found
