"""Deleting clusters: what goes, what stays, and what a deletion that cannot finish says."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.platform.handle import Platform
from tests.system.clusters import Cluster, fresh_namespace, now

pytestmark = pytest.mark.system

OWNED = "serviceaccount,rolebinding,secret,configmap,service,statefulset,pod"
BLOCKER = "example.com/blocker"


@pytest.fixture
def other(product: Platform) -> Iterator[Cluster]:
    """A cluster of the same name in another namespace."""
    with fresh_namespace(product) as name:
        yield Cluster(product, name)


def test_owned_objects_go_and_volumes_stay_for_the_next_cluster_of_that_name(
    cluster: Cluster,
) -> None:
    """Seed defect C26: children were made anew while their cluster was being deleted."""
    cluster.apply()
    cluster.until_settled()
    cluster.write("/kept", "through deletion")
    volume = cluster.get("pvc", "data-zk-0")["metadata"]["uid"]
    since = now()
    cluster.kubectl("delete", "zkcluster", "zk", "--timeout=60s")
    cluster.until(lambda: not _left(cluster), "garbage collection")
    made = [c for c in cluster.calls(since) if c.verb in ("create", "patch") and c.code == 201]
    assert [str(call) for call in made] == []
    assert cluster.get("pvc", "data-zk-0")["metadata"]["uid"] == volume

    cluster.apply()
    status = cluster.until_settled()
    assert status["bootstrap"]["state"] == "adopted"
    assert "start empty" in cluster.events()["Adopted"]
    assert cluster.read("/kept") == {"through deletion"}


@pytest.mark.soak
@pytest.mark.anywhere
def test_volumes_go_too_when_the_spec_says_so(cluster: Cluster) -> None:
    cluster.apply(clearPersistence=True)
    cluster.until_settled()
    cluster.kubectl("delete", "zkcluster", "zk", "--timeout=60s")
    assert cluster.get("pvc", "data-zk-0") == {}
    cluster.until(lambda: not _left(cluster), "garbage collection")


def test_a_deletion_that_cannot_finish_says_why(cluster: Cluster) -> None:
    cluster.apply(clearPersistence=True)
    cluster.until_settled()
    _set_finalizers(cluster, [BLOCKER])
    cluster.kubectl("delete", "zkcluster", "zk", "--wait=false")
    said = cluster.until(
        lambda: _told(cluster, "pod zk-0"), "the condition names what is waited for"
    )
    assert "until these are gone" in said
    assert cluster.get("pvc", "data-zk-0"), "the volume goes only after its pod"
    _set_finalizers(cluster, [])
    cluster.until(lambda: not cluster.get("zkcluster"), "the deletion to finish")
    assert cluster.get("pvc", "data-zk-0") == {}


@pytest.mark.soak
def test_two_clusters_of_one_name_never_touch_each_other(cluster: Cluster, other: Cluster) -> None:
    """Seed defect G2: clusters saw and deleted the pods of their namesakes."""
    cluster.apply(clearPersistence=True)
    other.apply()
    cluster.until_settled()
    other.until_settled()
    cluster.write("/mine", "one")
    other.write("/mine", "two")
    assert cluster.read("/mine") == {"one"}
    uid = other.pods()["zk-0"]["metadata"]["uid"]
    cluster.kubectl("delete", "zkcluster", "zk", "--timeout=60s")
    cluster.until(lambda: not _left(cluster), "garbage collection")
    other.until_settled()
    assert other.pods()["zk-0"]["metadata"]["uid"] == uid
    assert other.read("/mine") == {"two"}


@pytest.mark.anywhere
@pytest.mark.soak
def test_an_object_of_somebody_else_is_left_alone_and_named(cluster: Cluster) -> None:
    cluster.kubectl("create", "deployment", "web", "--image=busybox:1", "--replicas=0")
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "uid": cluster.get("deployment", "web")["metadata"]["uid"],
        "controller": True,
    }
    theirs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "zk-config", "ownerReferences": [owner]},
        "data": {"theirs": "yes"},
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(theirs))
    cluster.apply()
    condition = cluster.until(
        lambda: (seen := cluster.condition("Reconciled"))["reason"] == "NameTaken" and seen,
        "the condition",
    )
    assert "ConfigMap zk-config: controlled by another object" in condition["message"]
    assert cluster.get("configmap", "zk-config")["data"] == {"theirs": "yes"}
    assert cluster.pods() == {}
    # With the other object gone the cluster comes up, at the latest with the next resync of all;
    # here an edit makes the event.
    cluster.kubectl("delete", "configmap", "zk-config")
    cluster.kubectl("annotate", "zkcluster", "zk", "look=again")
    cluster.until_settled()


def _left(cluster: Cluster) -> list[str]:
    words = ("get", OWNED, "-l", "instance=zk", "-o", "name")
    return cluster.kubectl(*words).stdout.split()


def _set_finalizers(cluster: Cluster, finalizers: list[str]) -> None:
    change = json.dumps({"metadata": {"finalizers": finalizers}})
    cluster.kubectl("patch", "pod", "zk-0", "--type=merge", "-p", change)


def _told(cluster: Cluster, what: str) -> str:
    message: str = cluster.condition("Reconciled")["message"]
    return message if what in message else ""
