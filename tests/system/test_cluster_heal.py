"""What is deleted, edited or killed comes back, with its data, and status tells the truth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.platform.handle import Platform
from tests.system.clusters import BROKER, Cluster, is_true, now, signal_server
from tests.system.rest import Manifest

pytestmark = pytest.mark.system

TICK = Path(__file__).parents[1] / "events" / "resync-all"
SOON = 10.0
QUIET_SECONDS = 6.0


@pytest.fixture(scope="module")
def ensemble(product: Platform, shared_namespace: str) -> Cluster:
    """Three servers that all tests here hurt in turn."""
    cluster = Cluster(product, shared_namespace)
    cluster.apply(replicas=3)
    cluster.until_settled()
    cluster.write("/kept", "before")
    return cluster


@pytest.fixture
def healthy(ensemble: Cluster) -> Cluster:
    """The ensemble as a test must find it, and leave it."""
    ensemble.until_settled()
    assert ensemble.read("/kept") == {"before"}
    return ensemble


@pytest.mark.anywhere
def test_deleted_objects_come_back_within_seconds(healthy: Cluster) -> None:
    before = {ref: uid for ref, uid in healthy.owned().items() if _is_watched(ref)}
    assert len(before) == 7
    # The servers' pods stay: that they come back is tried below.
    healthy.kubectl("delete", "--cascade=orphan", "--wait=false", *before)

    def are_new() -> bool:
        after = healthy.owned()
        return all(after.get(ref, uid) != uid for ref, uid in before.items())

    healthy.until(are_new, "new objects in the place of the deleted ones", SOON)
    healthy.until_settled()
    assert _restarts(healthy) == {f"zk-{n}": 0 for n in range(3)}


@pytest.mark.anywhere
def test_edited_objects_become_as_wanted_again(healthy: Cluster) -> None:
    edits: dict[str, Manifest] = {
        "configmap/zk-config": {"data": {"zoo.cfg": "tickTime=1"}},
        "service/zk-client": {"spec": {"selector": {"instance": "other"}}},
        "service/zk": {"spec": {"publishNotReadyAddresses": False}},
        "statefulset/zk": {"spec": {"updateStrategy": {"type": "RollingUpdate"}}},
        "serviceaccount/zk-sa": {"metadata": {"labels": {"operator": "somebody"}}},
        "rolebinding/zk-rolebinding": {"metadata": {"ownerReferences": None}},
    }
    before = {ref: healthy.get(*ref.split("/")) for ref in edits}
    for ref, edit in edits.items():
        healthy.kubectl("patch", ref, "--type=merge", "-p", json.dumps(edit))

    def are_as_before() -> bool:
        return all(_wanted(healthy.get(*ref.split("/"))) == _wanted(before[ref]) for ref in edits)

    healthy.until(are_as_before, "the edits to be taken back", SOON)


@pytest.mark.anywhere
def test_a_foreign_number_of_replicas_is_taken_back(healthy: Cluster) -> None:
    healthy.kubectl("scale", "statefulset", "zk", "--replicas=4")
    healthy.until(
        lambda: healthy.get("statefulset")["spec"]["replicas"] == 3 and len(healthy.pods()) == 3,
        "three servers again",
    )
    assert is_true(healthy.until_settled(), "Available")


def _restart_with_kubectl(cluster: Cluster) -> None:
    """`kubectl rollout restart`, and wait until every pod is replaced and all is well."""
    before = cluster.uids()
    cluster.kubectl("rollout", "restart", "statefulset", "zk")
    cluster.until(
        lambda: not before & cluster.uids(),
        "every pod is replaced",
        90,
    )
    cluster.until_settled(60)


@pytest.mark.soak
def test_what_others_add_stays_and_makes_no_quarrel(healthy: Cluster) -> None:
    """Seed defects C4, C18, C25 and G3: foreign annotations wiped, endless updates."""
    foreign = {"mesh.example.com/inject": "true"}
    restarted = "kubectl.kubernetes.io/restartedAt"
    _restart_with_kubectl(healthy)
    for ref in ("service/zk", "configmap/zk-config", "statefulset/zk", "pod/zk-0", "zkcluster/zk"):
        healthy.kubectl("annotate", ref, "mesh.example.com/inject=true")
        healthy.kubectl("label", ref, "team=a")
    # An event for each of these objects is delivered within that time; a quarrel would go on.
    since = now()
    healthy.until(lambda: (now() - since).total_seconds() > QUIET_SECONDS, "a while to pass")
    assert [str(call) for call in healthy.calls(since) if call.is_write] == []
    for kind, name in (("service", "zk"), ("configmap", "zk-config"), ("statefulset", "zk")):
        metadata = healthy.get(kind, name)["metadata"]
        assert foreign.items() <= metadata["annotations"].items()
        assert metadata["labels"]["team"] == "a"
    assert healthy.pods()["zk-0"]["metadata"]["annotations"].items() >= foreign.items()
    assert restarted in _template_annotations(healthy)


@pytest.mark.soak
def test_a_deleted_secret_is_made_anew_by_the_resync_of_all(healthy: Cluster) -> None:
    """Secrets are not watched: the tick that comes every ten minutes is sent here by hand."""
    old = healthy.get("secret", "zk-super-user")
    healthy.kubectl("delete", "secret", "zk-super-user")
    tick = ("-H", f"@{TICK}.headers", "--data-binary", f"@{TICK}.data")
    healthy.platform.run("curl", "-sSf", "-m", "10", *tick, BROKER)
    new = healthy.until(lambda: healthy.get("secret", "zk-super-user"), "a new Secret")
    assert new["data"] != old["data"]
    healthy.kubectl("delete", "pod", "zk-1")
    healthy.until_settled()
    assert healthy.read("/kept") == {"before"}


def test_a_killed_server_is_started_again(healthy: Cluster) -> None:
    healthy.write("/kept-by-kill", "yes")
    leading = healthy.status()["leader"]
    victim = next(pod for pod in sorted(healthy.pods()) if pod != leading)
    before, told = _restarts(healthy)[victim], _losses(healthy, victim)
    signal_server(healthy, victim, "SIGKILL")
    healthy.until(lambda: _losses(healthy, victim) > told, "the loss to be told")
    healthy.until(lambda: _restarts(healthy)[victim] == before + 1, "the container's restart")
    healthy.until_settled()
    assert healthy.read("/kept-by-kill") == {"yes"}


@pytest.mark.soak
def test_status_names_the_servers_that_hang_and_says_when_there_is_no_quorum(
    healthy: Cluster,
) -> None:
    """Seed defect G5: one dead server made the whole observation empty, never "2 of 3"."""
    leading = healthy.status()["leader"]
    first, second = [pod for pod in sorted(healthy.pods()) if pod != leading]
    signal_server(healthy, first, "SIGSTOP")
    try:
        lame = healthy.until(
            lambda: _when(healthy, "QuorumHealthy", "False", "ServersMissing"), "2 of 3"
        )
        assert f"2 of 3 voters serve: {first}" in lame["message"]
        assert is_true(healthy.status(), "Available")
        healthy.until(lambda: healthy.status()["readyReplicas"] == 2, "two ready servers")
        signal_server(healthy, second, "SIGSTOP")
        down = healthy.until(lambda: _when(healthy, "Available", "False", "NoQuorum"), "no quorum")
        assert "2 are needed" in down["message"]
        healthy.until(
            lambda: all(
                pod in healthy.condition("Available")["message"] for pod in (first, second)
            ),
            "both servers are named",
        )
        assert down["lastTransitionTime"] >= lame["lastTransitionTime"]
    finally:
        signal_server(healthy, first, "SIGCONT")
        signal_server(healthy, second, "SIGCONT")
    healthy.until_settled()
    told = healthy.events()
    assert "voters serve" in told["NoQuorum"]
    assert first in told["ServersMissing"]


@pytest.mark.anywhere
def test_a_deleted_pod_comes_back_with_its_volume(healthy: Cluster) -> None:
    """Seed defects J2 and G1: data and transaction logs were lost with the pod."""
    leading = healthy.status()["leader"]
    volume = healthy.get("pvc", f"data-{leading}")["spec"]["volumeName"]
    uid = healthy.pods()[leading]["metadata"]["uid"]
    healthy.write("/kept-by-delete", "yes")
    healthy.kubectl("delete", "pod", leading)
    healthy.until(lambda: uid not in healthy.uids() and leading in healthy.pods(), "a new pod")
    status = healthy.until_settled()
    assert status["leader"]
    assert healthy.get("pvc", f"data-{leading}")["spec"]["volumeName"] == volume
    assert healthy.read("/kept-by-delete") == {"yes"}


@pytest.mark.soak
def test_all_pods_deleted_at_once_come_back_with_their_data(healthy: Cluster) -> None:
    """Seed defect C5: servers needed a quorum to start, so a lost one never came back."""
    healthy.write("/kept-by-all", "yes")
    uids = healthy.uids()
    healthy.kubectl("delete", "pods", "-l", "instance=zk", "--wait=false")
    healthy.until(lambda: not uids & healthy.uids(), "the old pods to be gone")
    healthy.until_settled()
    assert healthy.read("/kept-by-all") == {"yes"}


def _is_watched(ref: str) -> bool:
    return not ref.startswith("secret/")


def _losses(cluster: Cluster, pod: str) -> int:
    return cluster.events().get("ServersMissing", "").count(f"2 of 3 voters serve: {pod}")


def _restarts(cluster: Cluster) -> dict[str, int]:
    return {
        name: sum(c["restartCount"] for c in pod["status"].get("containerStatuses", ()))
        for name, pod in cluster.pods().items()
    }


def _wanted(found: Manifest) -> Manifest:
    """Return what an edit may have changed: all but the marks that every write leaves."""
    metadata = {key: found["metadata"].get(key) for key in ("labels", "ownerReferences")}
    rest = {key: value for key, value in found.items() if key not in ("metadata", "status")}
    return {"metadata": metadata, **rest}


def _template_annotations(cluster: Cluster) -> Manifest:
    found: Manifest = cluster.get("statefulset")["spec"]["template"]["metadata"]["annotations"]
    return found


def _when(cluster: Cluster, kind: str, status: str, reason: str) -> Manifest:
    seen = cluster.condition(kind)
    return seen if (seen["status"], seen["reason"]) == (status, reason) else {}
