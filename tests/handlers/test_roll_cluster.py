"""Replacing the pods of an older revision, on the memory twin."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.kinds import POD, STATEFUL_SET, Ref


def _revisions(simulation: Any) -> set[str]:
    pods = simulation.kube.list(POD, "apps")
    return {pod["metadata"]["labels"]["controller-revision-hash"] for pod in pods}


def _removed(simulation: Any, since: int) -> list[str]:
    writes = simulation.kube.writes[since:]
    return [w.ref.name for w in writes if w.verb in ("evict", "delete") and w.ref.kind == POD]


def _started(simulation: Any, **spec: Any) -> int:
    simulation.apply(**spec)
    simulation.settle()
    assert simulation.condition("Updated") == ("True", "AsWanted")
    return len(simulation.kube.writes)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "3.9.4"},
        {"resources": {"limits": {"memory": "1Gi"}}},
        {"config": {"tickTime": 3000}},
        {"pod": {"annotations": {"a": "b"}}},
        {"restartedAt": "2026-01-01T00:00:00Z"},
    ],
    ids=["image", "resources", "configuration", "annotations", "restart"],
)
def test_a_change_replaces_every_pod_once_and_the_leader_last(
    simulation: Any, change: dict[str, Any]
) -> None:
    """Guards against C3, C24, G10 and G11: changes that reach no pod, or need a lucky moment."""
    before = _started(simulation, replicas=3)
    ensemble = simulation.ensembles["apps/zk"]
    leader, elections = f"zk-{ensemble.leader - 1}", ensemble.elections
    simulation.apply(replicas=3, **change)
    simulation.settle()
    removed = _removed(simulation, before)
    assert sorted(removed) == ["zk-0", "zk-1", "zk-2"]
    assert removed[-1] == leader
    assert ensemble.elections == elections + 1
    assert len(_revisions(simulation)) == 1
    assert simulation.condition("Updated") == ("True", "AsWanted")
    assert simulation.cluster().status.operation is None


def test_kubectl_rollout_restart_rolls_and_its_annotation_stays(simulation: Any) -> None:
    before = _started(simulation, replicas=3)
    found = simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk"))
    restarted = "kubectl.kubernetes.io/restartedAt"
    found["spec"]["template"]["metadata"]["annotations"][restarted] = "now"
    simulation.kube.update(found, manager="kubectl-rollout")
    simulation.kubernetes()
    simulation.settle()
    assert len(_removed(simulation, before)) == 3
    template = simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk"))["spec"]["template"]
    assert template["metadata"]["annotations"][restarted] == "now"


def test_updated_is_not_said_of_a_spec_that_the_pods_template_does_not_follow_yet(
    simulation: Any,
) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.apply(replicas=3, restartedAt="2026-01-31T12:00:00Z")
    simulation.deliver("roll")
    assert _looked_at(simulation, "Updated") == simulation.cluster().metadata.generation - 1
    simulation.deliver("reconcile-cluster")
    simulation.kubernetes()
    simulation.deliver("roll")
    assert simulation.condition("Updated")[0] == "False"
    assert _looked_at(simulation, "Updated") == simulation.cluster().metadata.generation
    simulation.settle()
    assert simulation.condition("Updated")[0] == "True"


def _looked_at(simulation: Any, kind: str) -> int:
    """Return the generation of the spec that the condition speaks of."""
    found = simulation.cluster().status.conditions
    return next(c.observed_generation or 0 for c in found if c.type == kind)


def test_a_roll_stops_at_the_first_pod_that_does_not_come_back(simulation: Any) -> None:
    before = _started(simulation, replicas=3)
    simulation.broken_pods.update(("zk-0", "zk-1", "zk-2"))
    simulation.apply(replicas=3, version="3.9.4")
    simulation.settle()
    assert len(_removed(simulation, before)) == 1
    assert simulation.condition("Updated") == ("False", "PodNotHealthy")
    assert simulation.condition("Available") == ("True", "QuorumServes")
    told = next(c.message for c in simulation.cluster().status.conditions if c.type == "Updated")
    assert "ImagePullBackOff: no such image" in told


def test_a_roll_goes_back_when_the_spec_does(simulation: Any) -> None:
    _started(simulation, replicas=3)
    old = _revisions(simulation)
    simulation.broken_pods.update(("zk-0", "zk-1", "zk-2"))
    simulation.apply(replicas=3, version="3.9.4")
    simulation.settle()
    simulation.broken_pods.clear()
    simulation.apply(replicas=3)
    simulation.settle()
    assert _revisions(simulation) == old
    assert simulation.condition("Updated") == ("True", "AsWanted")


def test_a_single_server_is_replaced_although_no_eviction_is_allowed(simulation: Any) -> None:
    before = _started(simulation, replicas=1)
    simulation.apply(replicas=1, logLevel="DEBUG")
    simulation.settle()
    assert _removed(simulation, before) == ["zk-0"]
    assert simulation.condition("Available") == ("True", "QuorumServes")


def test_scaling_and_rolling_at_once_both_come_to_their_end(simulation: Any) -> None:
    _started(simulation, replicas=3)
    simulation.apply(replicas=5, version="3.9.4")
    simulation.settle()
    assert simulation.condition("Updated") == ("True", "AsWanted")
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    simulation.apply(replicas=3, version="3.9.5")
    simulation.settle()
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    assert len(_revisions(simulation)) == 1


def test_a_larger_size_that_is_asked_for_during_a_roll_does_not_stop_it(simulation: Any) -> None:
    """The budget of the pods to come would refuse the eviction that the roll is at."""
    _started(simulation, replicas=3)
    simulation.apply(replicas=3, logLevel="DEBUG")
    simulation.round()
    simulation.kubernetes()
    simulation.apply(replicas=4, logLevel="DEBUG")
    simulation.settle()
    assert simulation.condition("Updated") == ("True", "AsWanted")
    assert simulation.condition("Scaled") == ("True", "AsWanted")


def test_an_idle_ensemble_costs_no_write_after_a_roll(simulation: Any) -> None:
    _started(simulation, replicas=3)
    simulation.apply(replicas=3, logLevel="DEBUG")
    simulation.settle()
    assert simulation.round() == 0


def test_nothing_is_replaced_while_the_cluster_is_paused(simulation: Any) -> None:
    before = _started(simulation, replicas=3)
    found = simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk"))
    found["spec"]["template"]["metadata"]["annotations"]["a"] = "b"
    simulation.apply(replicas=3, paused=True)
    simulation.kube.update(found, manager="kubectl")
    simulation.settle()
    assert _removed(simulation, before) == []
    assert simulation.condition("Updated") == ("False", "Paused")
