"""One mover at a time, the disruption budget as a wish, and events about nothing."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.errors import Conflict
from functions.api.kinds import CLUSTER, EVENT, POD, POD_DISRUPTION_BUDGET, STATEFUL_SET, Ref
from functions.api.manifest import Manifest
from functions.planning.steps import ApplyToGeneration
from functions.runtime.apply import apply
from functions.runtime.events import Event, reference_event
from functions.runtime.function import FUNCTIONS, deliver

BUDGET = Ref(POD_DISRUPTION_BUDGET, "apps", "zk")
SERVERS = Ref(STATEFUL_SET, "apps", "zk")


def _set_operation(simulation: Any, kind: str) -> None:
    """Record a step of another mover, as that mover does; an empty kind ends it."""
    found = simulation.kube.get(Ref(CLUSTER, "apps", "zk"))
    keys = ("name", "namespace", "uid", "resourceVersion")
    manifest = {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": {key: found["metadata"][key] for key in keys},
        "status": {"operation": {"type": kind}} if kind else {},
    }
    simulation.kube.apply(manifest, manager="zookeeper-operation", subresource="status")


def test_scale_and_roll_wait_for_whoever_moves_servers(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    before = {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}
    _set_operation(simulation, "Restore")
    simulation.apply(replicas=5, logLevel="DEBUG")
    simulation.settle()
    assert {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")} == before
    assert simulation.cluster().status.operation.type == "Restore"
    _set_operation(simulation, "")
    simulation.settle()
    after = {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}
    assert len(after) == 5
    assert not after & before


def _five_pods(simulation: Any) -> tuple[ApplyToGeneration, Manifest]:
    """Return a wish for five pods, of a StatefulSet that was read just now."""
    simulation.apply(replicas=3)
    simulation.settle()
    found = simulation.kube.get(SERVERS)
    keys = ("name", "namespace", "uid", "resourceVersion")
    manifest = {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": {key: found["metadata"][key] for key in keys},
        "spec": {"replicas": 5},
    }
    return ApplyToGeneration(manifest, "scale", found["metadata"]["generation"]), found


def test_a_number_of_pods_is_set_over_a_changed_status(simulation: Any) -> None:
    step, found = _five_pods(simulation)
    told = {**found, "status": {**found["status"], "readyReplicas": 1}}
    simulation.kube.apply(
        {key: told[key] for key in ("apiVersion", "kind", "metadata", "status")}
        | {"metadata": step.manifest["metadata"]},
        manager="controller",
        subresource="status",
    )
    apply((step,), simulation.cluster(), simulation.world())
    assert simulation.kube.get(SERVERS)["spec"]["replicas"] == 5


def test_a_number_of_pods_is_not_set_over_another_one(simulation: Any) -> None:
    step, _ = _five_pods(simulation)
    simulation.apply(replicas=4)
    simulation.settle()
    with pytest.raises(Conflict, match="StatefulSet apps/zk changed since it was read"):
        apply((step,), simulation.cluster(), simulation.world())
    assert simulation.kube.get(SERVERS)["spec"]["replicas"] == 4


def test_a_budget_that_is_not_wanted_goes_and_comes_back(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    assert simulation.kube.get(BUDGET)["spec"]["minAvailable"] == 2
    simulation.apply(replicas=3, disruptionBudget={"enabled": False})
    simulation.settle()
    assert simulation.kube.get(BUDGET) is None
    assert simulation.resync("unsettled") == []
    simulation.apply(replicas=3)
    simulation.settle()
    assert simulation.kube.get(BUDGET) is not None


def test_a_budget_somebody_edited_is_mended(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    found = simulation.kube.get(BUDGET)
    found["spec"]["minAvailable"] = 1
    simulation.kube.update(found, manager="kubectl-edit")
    simulation.settle()
    assert simulation.kube.get(BUDGET)["spec"]["minAvailable"] == 2


def test_a_roll_waits_until_the_stateful_set_is_observed(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.apply(replicas=3, logLevel="DEBUG")
    simulation.deliver("reconcile-cluster")
    before = {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}
    simulation.deliver("roll")
    assert simulation.condition("Updated") == ("False", "StatefulSetNotObserved")
    assert {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")} == before
    assert simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk"))["spec"]["replicas"] == 3


def test_resync_of_no_cluster_sends_nothing(simulation: Any) -> None:
    assert simulation.resync("unsettled") == []


def test_resync_leaves_a_spec_alone_that_only_an_edit_can_mend(simulation: Any) -> None:
    simulation.apply("wrong", replicas=0)
    simulation.apply("new", replicas=1)
    assert [ref.name for ref in simulation.resync("unsettled")] == ["new"]
    assert [ref.name for ref in simulation.resync("all")] == ["new", "wrong"]


def test_a_dead_letter_with_unreadable_error_data_is_told_as_it_is(simulation: Any) -> None:
    simulation.apply(replicas=1)
    attributes, data = reference_event(Ref(CLUSTER, "apps", "zk"))
    event = Event({**attributes, "id": "1", "knativeerrordata": "not base64!"}, data)
    assert deliver(FUNCTIONS["dead-letter"], event, simulation.world).status == 204
    told = [item["message"] for item in simulation.kube.list(EVENT, "apps")]
    assert any("not base64!" in message for message in told)
