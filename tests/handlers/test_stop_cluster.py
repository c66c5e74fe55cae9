"""Stopping and waking an ensemble with its data, on the memory twin."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.api.kinds import (
    CLUSTER,
    EVENT,
    PERSISTENT_VOLUME_CLAIM,
    POD_DISRUPTION_BUDGET,
    STATEFUL_SET,
    Ref,
)
from tests.handlers.laws import check_invariants

FUNCTIONS = ("reconcile-cluster", "scale", "roll", "observe")


def _replicas(simulation: Any) -> int:
    return int(simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk"))["spec"]["replicas"])


def _claims(simulation: Any) -> dict[str, str]:
    found = simulation.kube.list(PERSISTENT_VOLUME_CLAIM, "apps")
    return {claim["metadata"]["name"]: claim["metadata"]["uid"] for claim in found}


def _members(simulation: Any) -> list[int]:
    return [member.id for member in simulation.ensembles["apps/zk"].config.members]


def _warnings(simulation: Any) -> list[str]:
    return [e["reason"] for e in simulation.kube.list(EVENT, "apps") if e["type"] == "Warning"]


def _run(simulation: Any, size: int, **spec: Any) -> None:
    simulation.apply(replicas=size, **spec)
    simulation.settle()


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.thorough
def test_a_stopped_ensemble_keeps_its_volumes_and_wakes_with_its_members(
    simulation: Any, size: int
) -> None:
    _run(simulation, size)
    before, warned = _claims(simulation), _warnings(simulation)
    _run(simulation, size, stopped=True)
    assert simulation.pods() == []
    assert _replicas(simulation) == 0
    assert _claims(simulation) == before
    status = simulation.cluster().status
    assert [member.id for member in status.members] == list(range(1, size + 1))
    assert status.operation is None
    assert {server.message for server in status.servers} == {"is stopped"}
    assert simulation.condition("Scaled") == ("True", "Stopped")
    assert simulation.condition("Updated") == ("True", "AsWanted")
    assert simulation.condition("Reconciled") == ("True", "AsWanted")
    assert simulation.condition("Available") == ("False", "Stopped")
    assert simulation.condition("QuorumHealthy") == ("False", "Stopped")
    assert {"Stopping", "Stopped"} <= set(simulation.events())
    _run(simulation, size)
    assert len(simulation.pods()) == size
    assert simulation.condition("Available") == ("True", "QuorumServes")
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    assert _warnings(simulation) == warned
    assert len(simulation.markers) == size, "waking founds nothing anew"


def test_a_stopped_ensemble_is_idle(simulation: Any) -> None:
    _run(simulation, 3)
    _run(simulation, 3, stopped=True)
    assert simulation.resync("unsettled") == []
    assert simulation.round() == 0


@pytest.mark.thorough
def test_no_eviction_is_asked_for_while_nothing_runs(simulation: Any) -> None:
    _run(simulation, 3)
    _run(simulation, 3, stopped=True)
    budget = Ref(POD_DISRUPTION_BUDGET, "apps", "zk")
    assert simulation.kube.get(budget)["spec"]["minAvailable"] == 0
    _run(simulation, 3)
    assert simulation.kube.get(budget)["spec"]["minAvailable"] == 2


@pytest.mark.thorough
def test_a_size_asked_for_while_stopped_is_reached_after_waking(simulation: Any) -> None:
    _run(simulation, 3)
    _run(simulation, 3, stopped=True)
    _run(simulation, 5, stopped=True)
    assert simulation.pods() == []
    assert len(simulation.cluster().status.members) == 3
    assert simulation.resync("unsettled") == []
    _run(simulation, 5)
    assert _members(simulation) == [1, 2, 3, 4, 5]
    assert len(simulation.markers) == 3


@pytest.mark.thorough
def test_an_ensemble_without_a_quorum_can_be_stopped_too(simulation: Any) -> None:
    _run(simulation, 3)
    simulation.broken_pods.update(("zk-0", "zk-1"))
    simulation.remove_pod("zk-0")
    simulation.remove_pod("zk-1")
    simulation.settle()
    _run(simulation, 3, stopped=True)
    assert simulation.condition("Scaled") == ("True", "Stopped")
    assert simulation.pods() == []
    simulation.broken_pods.clear()
    _run(simulation, 3)
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")


def test_a_leader_that_was_to_leave_last_wakes_with_the_others(simulation: Any) -> None:
    """Members 1 and 3 need three pods: with two, the third could not serve and nothing would."""
    _run(simulation, 3)
    simulation.ensembles["apps/zk"].leader = 3
    simulation.apply(replicas=1)
    for _ in range(10):
        simulation.deliver("scale")
        if _members(simulation) == [1, 3]:
            break
    _run(simulation, 1, stopped=True)
    assert [member.id for member in simulation.cluster().status.members] == [1, 3]
    _run(simulation, 1)
    assert simulation.condition("Available") == ("True", "QuorumServes")
    assert _members(simulation) == [1]


def test_a_server_whose_joining_was_not_seen_to_the_end_wakes_too(simulation: Any) -> None:
    _run(simulation, 2)
    simulation.broken_pods.add("zk-1")
    simulation.remove_pod("zk-1")
    simulation.settle()
    _forget_joining(simulation, 2)
    _run(simulation, 2, stopped=True)
    assert len(simulation.cluster().status.members) == 2
    simulation.broken_pods.clear()
    _run(simulation, 2)
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")


def _forget_joining(simulation: Any, number: int) -> None:
    """Put status back to when `scale` had asked for the last member and not seen the answer."""
    found = simulation.kube.get(Ref(CLUSTER, "apps", "zk"))
    members = [member for member in found["status"]["members"] if member["id"] != number]
    found["status"]["members"] = members
    simulation.kube.update(found, manager="scale", subresource="status")
    found = simulation.kube.get(Ref(CLUSTER, "apps", "zk"))
    keys = ("name", "namespace", "uid", "resourceVersion")
    manifest = {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": {key: found["metadata"][key] for key in keys},
        "status": {"operation": {"type": "Scale", "step": "AddMember", "serverId": number}},
    }
    simulation.kube.apply(manifest, manager="zookeeper-operation", subresource="status")


def test_a_cluster_made_stopped_has_no_server_and_no_volume_until_it_wakes(
    simulation: Any,
) -> None:
    _run(simulation, 3, stopped=True)
    assert simulation.pods() == []
    assert _claims(simulation) == {}
    assert simulation.cluster().status.bootstrap is None
    assert simulation.condition("Scaled") == ("True", "Stopped")
    assert simulation.condition("Reconciled") == ("True", "AsWanted")
    assert _warnings(simulation) == []
    assert simulation.resync("unsettled") == []
    assert simulation.round() == 0
    _run(simulation, 3)
    assert len(simulation.markers) == 3
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")


def test_volumes_put_in_place_while_a_new_cluster_is_stopped_are_adopted(simulation: Any) -> None:
    """Empty disks beside full ones may never vote: what is there at waking decides."""
    _run(simulation, 3)
    simulation.delete()
    simulation.settle()
    _run(simulation, 3, stopped=True)
    assert simulation.cluster().status.bootstrap is None
    _run(simulation, 3)
    assert simulation.cluster().status.bootstrap.state == "adopted"
    assert len(simulation.markers) == 3


def test_a_stop_during_the_first_creation_is_taken_up_on_waking(simulation: Any) -> None:
    simulation.apply(replicas=3)
    for _ in range(4):
        simulation.round()
    simulation.kubernetes()
    assert simulation.cluster().status.bootstrap.state == "open"
    _run(simulation, 3, stopped=True)
    assert simulation.pods() == []
    assert simulation.condition("Scaled") == ("True", "Stopped")
    _run(simulation, 3)
    assert simulation.cluster().status.bootstrap.state == "completed"
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")
    assert len(simulation.markers) == 3


@pytest.mark.parametrize("rounds", range(1, 8))
@pytest.mark.thorough
def test_a_stop_at_any_moment_of_the_first_creation_founds_no_volume_twice(
    simulation: Any, rounds: int
) -> None:
    simulation.apply(replicas=3)
    for _ in range(rounds):
        simulation.round()
        simulation.kubernetes()
    _run(simulation, 3, stopped=True)
    assert simulation.pods() == []
    assert simulation.resync("unsettled") == []
    check_invariants(simulation)
    _run(simulation, 3)
    check_invariants(simulation)
    assert len(simulation.markers) == 3
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")


def test_a_stateful_set_made_anew_while_stopped_starts_nothing(simulation: Any) -> None:
    _run(simulation, 3)
    _run(simulation, 3, stopped=True)
    ref = Ref(STATEFUL_SET, "apps", "zk")
    simulation.kube.delete(ref, uid=simulation.kube.get(ref)["metadata"]["uid"])
    simulation.deliver("reconcile-cluster")
    assert _replicas(simulation) == 0
    simulation.settle()
    assert simulation.pods() == []
    _run(simulation, 3)
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")


def test_a_number_of_pods_that_somebody_raised_while_stopped_is_lowered_again(
    simulation: Any,
) -> None:
    _run(simulation, 3)
    _run(simulation, 3, stopped=True)
    found = simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk"))
    found["spec"]["replicas"] = 2
    simulation.kube.update(found, manager="kubectl-scale")
    simulation.settle()
    assert simulation.pods() == []
    assert _replicas(simulation) == 0


def test_pause_wins_over_stop(simulation: Any) -> None:
    _run(simulation, 3)
    _run(simulation, 3, paused=True, stopped=True)
    assert len(simulation.pods()) == 3
    assert simulation.condition("Scaled") == ("False", "Paused")
    told = next(c for c in simulation.cluster().status.conditions if c.type == "Scaled")
    assert "spec.stopped" in told.message
    assert simulation.condition("Available") == ("True", "QuorumServes")
    assert simulation.resync("unsettled") == []
    _run(simulation, 3, stopped=True)
    assert simulation.pods() == []


def test_a_stopped_cluster_that_is_paused_stays_asleep_without_a_warning(simulation: Any) -> None:
    _run(simulation, 3)
    _run(simulation, 3, stopped=True)
    warned = _warnings(simulation)
    _run(simulation, 3, stopped=True, paused=True)
    assert simulation.condition("Available") == ("False", "Stopped")
    assert _warnings(simulation) == warned
    assert simulation.resync("unsettled") == []


def test_a_new_cluster_that_is_paused_makes_nothing(simulation: Any) -> None:
    _run(simulation, 3, paused=True)
    assert simulation.objects_left() == ["ZooKeeperCluster zk"]
    assert simulation.cluster().status.bootstrap is None
    assert simulation.condition("Scaled") == ("False", "Paused")
    assert simulation.condition("Updated") == ("False", "Paused")
    _run(simulation, 3)
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")


@pytest.mark.parametrize("clear", [True, False])
@pytest.mark.thorough
def test_a_stopped_cluster_can_be_deleted(simulation: Any, clear: bool) -> None:
    _run(simulation, 3, clearPersistence=clear)
    _run(simulation, 3, clearPersistence=clear, stopped=True)
    simulation.delete()
    simulation.settle()
    left = [] if clear else [f"PersistentVolumeClaim data-zk-{n}" for n in range(3)]
    assert simulation.objects_left() == left


@pytest.mark.thorough
def test_a_stop_ends_a_roll_and_servers_wake_in_the_newest_revision(simulation: Any) -> None:
    _run(simulation, 3)
    simulation.apply(replicas=3, logLevel="DEBUG")
    for _ in range(3):
        simulation.round()
        simulation.kubernetes()
    _run(simulation, 3, logLevel="DEBUG", stopped=True)
    assert simulation.condition("Updated") == ("True", "AsWanted")
    assert simulation.cluster().status.operation is None
    assert simulation.pods() == []
    _run(simulation, 3, logLevel="DEBUG")
    assert simulation.condition("Updated") == ("True", "AsWanted")
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")
    assert "Rolled" not in simulation.events()


Wish = tuple[int, bool, int]


@pytest.mark.thorough
@settings(
    max_examples=8,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.booleans(), st.integers(0, 6)), min_size=1, max_size=5
    ),
    st.lists(st.sampled_from(FUNCTIONS), max_size=6),
)
def test_stopping_and_waking_at_any_moment_of_scaling_ends_as_wanted_with_all_data(
    simulation: Any, wishes: list[Wish], extra: list[str]
) -> None:
    world = simulation.fork()
    _run(world, 3)
    for size, is_stopped, rounds in wishes:
        world.apply(replicas=size, stopped=is_stopped)
        for function in extra:
            world.deliver(function)
        for _ in range(rounds):
            world.round()
            world.kubernetes()
            check_invariants(world)
    size, is_stopped, _ = wishes[-1]
    world.settle()
    check_invariants(world)
    assert world.resync("unsettled") == []
    assert len(world.pods()) == (0 if is_stopped else size)
    world.apply(replicas=size)
    world.settle()
    assert _members(world) == list(range(1, size + 1))
    assert world.condition("QuorumHealthy") == ("True", "AllServe")
    assert len(world.markers) == 3, "nobody starts from an empty disk again"
