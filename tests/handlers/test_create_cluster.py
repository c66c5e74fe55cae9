"""From one custom resource to a serving ensemble, on the memory twin."""

from __future__ import annotations

from typing import Any

import pytest

from functions.adapters.memory.kube import OPTIONAL
from functions.api.errors import Unavailable
from functions.api.kinds import CLUSTER, CONFIG_MAP, SERVICE, STATEFUL_SET, Ref
from functions.manifests.names import APPLIED_HASH
from functions.runtime.settings import DEFAULT_IMAGE


def test_one_custom_resource_becomes_a_serving_ensemble(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    status = simulation.cluster().status
    assert (status.replicas, status.ready_replicas, status.version) == (3, 3, "3.9.5")
    assert (status.service, status.bootstrap.state) == ("zk.apps.svc.cluster.local", "completed")
    assert {c.type: c.status for c in status.conditions} == {
        "Available": "True", "QuorumHealthy": "True", "Reconciled": "True", "Scaled": "True",
        "SpecSafe": "True", "Updated": "True",
    }  # fmt: skip
    assert [(s.name, s.my_id, s.ready) for s in status.servers] == [
        ("zk-0", "1", "true"), ("zk-1", "2", "true"), ("zk-2", "3", "true"),
    ]  # fmt: skip
    assert status.leader in ("zk-0", "zk-1", "zk-2")


def test_every_condition_says_which_generation_was_looked_at(simulation: Any) -> None:
    simulation.apply(replicas=1)
    simulation.settle()
    simulation.apply(replicas=1, logLevel="DEBUG")
    simulation.settle()
    cluster = simulation.cluster()
    assert cluster.metadata.generation == 2
    assert {c.observed_generation for c in cluster.status.conditions} == {2}
    assert cluster.status.observed_generation == 2


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_every_first_server_gets_exactly_one_marker_on_a_recorded_volume(
    simulation: Any, size: int
) -> None:
    simulation.apply(replicas=size)
    simulation.settle()
    recorded = [volume.uid for volume in simulation.cluster().status.bootstrap.volumes]
    assert sorted(simulation.markers) == sorted(recorded)
    assert len(recorded) == size


def test_a_settled_cluster_costs_no_write_and_no_event_of_its_own(simulation: Any) -> None:
    """Guards against C18, C25, G3 and G27: writes that change nothing, and loops."""
    simulation.apply(replicas=3)
    simulation.settle()
    before = len(simulation.kube.writes)
    for _ in range(5):
        simulation.round()
    assert simulation.kube.writes[before:] == []


def test_an_idle_cluster_is_settled_for_resync(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    assert _resync(simulation, "unsettled") == []
    assert [ref.name for ref in _resync(simulation, "all")] == ["zk"]


@pytest.mark.parametrize("lost", [CONFIG_MAP, SERVICE, STATEFUL_SET], ids=lambda kind: kind.name)
def test_resync_notices_an_owned_object_that_is_gone(simulation: Any, lost: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    name = "zk-config" if lost == CONFIG_MAP else "zk"
    _remove(simulation, Ref(lost, "apps", name))
    assert [ref.name for ref in _resync(simulation, "unsettled")] == ["zk"]
    simulation.settle()
    assert simulation.kube.get(Ref(lost, "apps", name)) is not None
    assert _resync(simulation, "unsettled") == []


def test_a_lost_pod_event_is_made_up_for_by_resync(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.broken_pods.add("zk-1")
    simulation.remove_pod("zk-1")
    simulation.kubernetes()
    assert [ref.name for ref in _resync(simulation, "unsettled")] == ["zk"]


def _resync(simulation: Any, scope: str) -> list[Ref]:
    from functions.runtime.events import PING_EVENT, Event
    from functions.runtime.function import FUNCTIONS, deliver

    simulation.sent.clear()
    event = Event({"type": PING_EVENT, "id": "1", "source": "/ping"}, {"scope": scope})
    assert deliver(FUNCTIONS["resync"], event, simulation.world).status == 204
    return list(simulation.sent)


def _remove(simulation: Any, ref: Ref) -> None:
    found = simulation.kube.get(ref)
    simulation.kube.delete(ref, uid=found["metadata"]["uid"])


def test_an_edited_object_comes_back_and_what_others_added_stays(simulation: Any) -> None:
    """Guards against C25: updates that drop foreign labels and annotations."""
    simulation.apply(replicas=3)
    simulation.settle()
    ref = Ref(SERVICE, "apps", "zk-client")
    edited = simulation.kube.get(ref)
    edited["spec"]["ports"][0]["port"] = 9999
    edited["metadata"]["annotations"]["mesh.example/on"] = "true"
    edited["metadata"]["labels"]["team"] = "x"
    simulation.kube.update(edited, manager="kubectl-edit")
    simulation.settle()
    found = simulation.kube.get(ref)
    assert found["spec"]["ports"][0]["port"] == 2181
    assert found["metadata"]["annotations"]["mesh.example/on"] == "true"
    assert found["metadata"]["labels"]["team"] == "x"


def test_a_wish_for_the_pods_is_dropped_although_the_set_was_made_with_it(simulation: Any) -> None:
    """The StatefulSet is made in the name of `scale`, which must not go on holding all of it."""
    simulation.apply(replicas=1, env=[{"name": "A", "value": "b"}])
    simulation.settle()
    simulation.apply(replicas=1)
    simulation.settle()
    found = simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk"))
    variables = found["spec"]["template"]["spec"]["containers"][0]["env"]
    assert "A" not in {variable["name"] for variable in variables}
    assert found["spec"]["replicas"] == 1
    assert simulation.condition("Updated") == ("True", "AsWanted")


def test_a_wish_that_is_dropped_disappears_from_the_object(simulation: Any) -> None:
    simulation.apply(replicas=1, clientService={"annotations": {"lb": "a"}})
    simulation.settle()
    ref = Ref(SERVICE, "apps", "zk-client")
    assert simulation.kube.get(ref)["metadata"]["annotations"]["lb"] == "a"
    simulation.apply(replicas=1)
    simulation.settle()
    assert set(simulation.kube.get(ref)["metadata"]["annotations"]) == {APPLIED_HASH}


def test_two_clusters_of_one_name_never_touch_each_other(simulation: Any) -> None:
    """Guards against G2: a pod list without a namespace."""
    simulation.apply(replicas=3)
    simulation.apply(replicas=1, namespace="other")
    simulation.settle()
    assert len(simulation.cluster().status.servers) == 3
    assert len(simulation.cluster(namespace="other").status.servers) == 1
    other = {v.uid for v in simulation.cluster(namespace="other").status.bootstrap.volumes}
    assert other.isdisjoint(v.uid for v in simulation.cluster().status.bootstrap.volumes)


def test_an_object_of_somebody_else_is_not_taken_over(simulation: Any) -> None:
    simulation.kube.put(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "zk-config",
                "namespace": "apps",
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": True}
                ],
            },
            "data": {"mine": "yes"},
        }
    )
    simulation.apply(replicas=1)
    for _ in range(3):
        simulation.round()
    assert simulation.condition("Reconciled") == ("False", "NameTaken")
    assert simulation.kube.get(Ref(CONFIG_MAP, "apps", "zk-config"))["data"] == {"mine": "yes"}
    assert "NameTaken" in simulation.events()


def test_paused_leaves_the_owned_objects_alone(simulation: Any) -> None:
    simulation.apply(replicas=1)
    simulation.settle()
    simulation.apply(replicas=1, paused=True, logLevel="DEBUG")
    before = simulation.kube.get(Ref(CONFIG_MAP, "apps", "zk-config"))
    simulation.settle()
    assert simulation.kube.get(Ref(CONFIG_MAP, "apps", "zk-config")) == before
    assert simulation.condition("Reconciled") == ("False", "Paused")


def test_status_tells_what_is_missing_and_is_right_again_afterwards(simulation: Any) -> None:
    """Guards against C2, G5, G8, G9 and J5: one dead pod must not hide the others."""
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.broken_pods.add("zk-1")
    simulation.remove_pod("zk-1")
    simulation.settle()
    cluster = simulation.cluster()
    assert cluster.status.ready_replicas == 2
    assert simulation.condition("Available") == ("True", "QuorumServes")
    assert simulation.condition("QuorumHealthy") == ("False", "ServersMissing")
    told = next(c.message for c in cluster.status.conditions if c.type == "QuorumHealthy")
    assert "zk-1 zookeeper ImagePullBackOff: no such image" in told
    simulation.broken_pods.clear()
    simulation.settle()
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")


def test_a_lost_quorum_is_said_with_how_many_are_needed(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.broken_pods.update(("zk-0", "zk-1"))
    simulation.remove_pod("zk-0")
    simulation.remove_pod("zk-1")
    simulation.settle()
    assert simulation.condition("Available") == ("False", "NoQuorum")
    assert simulation.cluster().status.leader is None
    assert "NoQuorum" in simulation.events()
    simulation.broken_pods.clear()
    simulation.settle()
    assert simulation.condition("Available") == ("True", "QuorumServes")


def test_a_server_with_data_starts_without_the_record(simulation: Any) -> None:
    """Guards against C5: members that need a quorum in their init container."""
    simulation.apply(replicas=3)
    simulation.settle()
    for name in ("zk-0", "zk-1", "zk-2"):
        simulation.remove_pod(name)
    simulation.settle()
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")
    assert len(simulation.markers) == 3


@pytest.mark.parametrize("lost", ["zk-0", "zk-1", "zk-2"])
def test_a_lost_disk_joins_again_without_a_marker(simulation: Any, lost: str) -> None:
    """Guards against C6 and C7: a lost volume that founds a second ensemble, or never starts."""
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.remove_pod(lost)
    simulation.lose_disk(lost)
    simulation.settle()
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")
    assert len(simulation.markers) == 3


def test_a_majority_of_lost_disks_never_votes(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    for name in ("zk-0", "zk-1"):
        simulation.remove_pod(name)
        simulation.lose_disk(name)
    simulation.settle()
    assert simulation.condition("Available") == ("False", "NoQuorum")
    assert len(simulation.markers) == 3


def test_a_cluster_made_again_on_kept_volumes_adopts_them(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.delete()
    simulation.settle()
    assert simulation.kube.list(STATEFUL_SET, None) == []
    simulation.apply(replicas=3)
    simulation.settle()
    assert simulation.cluster().status.bootstrap.state == "adopted"
    assert simulation.condition("Available") == ("True", "QuorumServes")
    assert len(simulation.markers) == 3


def test_a_lost_status_is_never_taken_for_a_new_cluster(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    ref = Ref(CLUSTER, "apps", "zk")
    found = simulation.kube.get(ref)
    found.pop("status")
    simulation.kube.put(found, manager="backup-tool")
    for name in ("zk-0", "zk-1"):
        simulation.remove_pod(name)
        simulation.lose_disk(name)
    simulation.settle()
    assert simulation.cluster().status.bootstrap.state == "adopted"
    assert len(simulation.markers) == 3


def test_deleting_keeps_the_volumes(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.delete()
    simulation.settle()
    assert _claims(simulation) == ["data-zk-0", "data-zk-1", "data-zk-2"]
    assert _left(simulation) == []


def test_deleting_with_clear_persistence_takes_the_volumes_after_the_pods(simulation: Any) -> None:
    simulation.apply(replicas=3, clearPersistence=True)
    simulation.settle()
    simulation.delete()
    simulation.round()
    assert _claims(simulation) == ["data-zk-0", "data-zk-1", "data-zk-2"]
    assert simulation.condition("Reconciled") == ("False", "Deleting")
    simulation.settle()
    assert _claims(simulation) == []
    assert _left(simulation) == []


def test_nothing_is_made_while_the_cluster_is_being_deleted(simulation: Any) -> None:
    """Guards against C26."""
    simulation.apply(replicas=3, clearPersistence=True)
    simulation.settle()
    simulation.delete()
    before = len(simulation.kube.writes)
    simulation.settle()
    made = {w.verb for w in simulation.kube.writes[before:] if w.ref.kind.name != "Event"}
    applied = {w.ref.kind.name for w in simulation.kube.writes[before:] if w.verb == "apply"}
    assert "create" not in made
    assert applied <= {"ZooKeeperCluster"}


def _claims(simulation: Any) -> list[str]:
    from functions.api.kinds import PERSISTENT_VOLUME_CLAIM

    return [c["metadata"]["name"] for c in simulation.kube.list(PERSISTENT_VOLUME_CLAIM, None)]


def _left(simulation: Any) -> list[str]:
    from functions.api.kinds import EVENT, KINDS, PERSISTENT_VOLUME_CLAIM

    kinds = [k for k in KINDS.values() if k not in (EVENT, PERSISTENT_VOLUME_CLAIM)]
    kinds = [k for k in kinds if k not in OPTIONAL]
    return [m["metadata"]["name"] for k in kinds for m in simulation.kube.list(k, None)]


def test_the_seed_systems_helper_image_is_replaced_and_said_so(simulation: Any) -> None:
    simulation.apply(replicas=1, helperImage="go2sheep/zk-helper:latest")
    simulation.settle()
    template = simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk"))["spec"]["template"]
    assert template["spec"]["initContainers"][0]["image"] == DEFAULT_IMAGE
    assert "HelperImageReplaced" in simulation.events()


def test_a_refused_object_becomes_a_condition_and_not_a_retry(simulation: Any) -> None:
    from functions.api.errors import Refused

    simulation.apply(replicas=1)
    simulation.settle()
    _remove(simulation, Ref(CONFIG_MAP, "apps", "zk-config"))
    simulation.faults.reset()
    simulation.faults.fail_at(9, Refused("StatefulSet is invalid: spec.affinity"))
    assert simulation.deliver("reconcile-cluster").status == 204
    assert simulation.condition("Reconciled") == ("False", "InvalidSpec")


def test_an_unreachable_api_server_is_answered_so_that_knative_tries_again(
    simulation: Any,
) -> None:
    simulation.apply(replicas=1)
    simulation.faults.reset()
    simulation.faults.fail_at(2, Unavailable("timed out"))
    assert simulation.deliver("reconcile-cluster").status == 503
