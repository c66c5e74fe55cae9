"""Changing the number of servers, on the memory twin."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.kinds import EVENT, PERSISTENT_VOLUME_CLAIM, POD, STATEFUL_SET, Ref


def _members(simulation: Any) -> dict[int, str]:
    config = simulation.ensembles["apps/zk"].config
    return {member.id: member.role for member in config.members}


def _pods(simulation: Any) -> int:
    found = simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk"))
    return int(found["spec"]["replicas"])


@pytest.mark.parametrize(
    "sizes",
    [[3, 5, 3], [1, 3, 1, 3], [5, 1], [3, 4, 2], [9, 1, 9]],
    ids=lambda sizes: "-".join(map(str, sizes)),
)
@pytest.mark.thorough
def test_every_size_is_reached_with_members_and_pods_alike(
    simulation: Any, sizes: list[int]
) -> None:
    """Guards against C22, C23, G13, H4, J1 and K9: members and pods that part ways."""
    for size in sizes:
        simulation.apply(replicas=size)
        simulation.settle()
        assert sorted(_members(simulation)) == list(range(1, size + 1))
        assert _pods(simulation) == size
        assert simulation.condition("Scaled") == ("True", "AsWanted")
        assert simulation.condition("QuorumHealthy") == ("True", "AllServe")
        status = simulation.cluster().status
        assert status.operation is None
        assert [member.id for member in status.members] == list(range(1, size + 1))
    assert len(simulation.markers) == sizes[0]


def test_a_joiner_never_gets_a_marker(simulation: Any) -> None:
    simulation.apply(replicas=1)
    simulation.settle()
    simulation.apply(replicas=3)
    simulation.settle()
    assert len(simulation.markers) == 1


def test_observers_serve_without_a_vote(simulation: Any) -> None:
    simulation.apply(replicas=3, observers=2)
    simulation.settle()
    assert list(_members(simulation).values()) == ["participant"] * 3 + ["observer"] * 2
    simulation.apply(replicas=4, observers=1)
    simulation.settle()
    assert list(_members(simulation).values()) == ["participant"] * 4 + ["observer"]


def test_the_leader_leaves_last(simulation: Any) -> None:
    simulation.apply(replicas=5)
    simulation.settle()
    simulation.ensembles["apps/zk"].leader = 5
    simulation.settle()
    before = simulation.ensembles["apps/zk"].elections
    simulation.apply(replicas=3)
    simulation.settle()
    left = [change for change in simulation.zookeeper.changes if change.startswith("+ -")]
    assert left == ["+ -4", "+ -5"]
    assert simulation.ensembles["apps/zk"].elections == before + 1


def test_a_removal_that_fails_leaves_the_pods_alone(simulation: Any) -> None:
    """Guards against G12: replicas that are lowered although the members are still in the list."""
    simulation.apply(replicas=5)
    simulation.settle()
    simulation.ensembles["apps/zk"].password = "another"
    simulation.apply(replicas=3)
    simulation.settle()
    assert len(_members(simulation)) == 5
    assert _pods(simulation) == 5
    assert simulation.condition("Scaled") == ("False", "ReconfigRefused")


def test_pods_that_somebody_stopped_run_again(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    found = simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk"))
    found["spec"]["replicas"] = 0
    simulation.kube.update(found, manager="kubectl-scale")
    simulation.kubernetes()
    simulation.settle()
    assert _pods(simulation) == 3
    assert simulation.condition("Available") == ("True", "QuorumServes")


def test_nothing_moves_without_a_quorum_and_status_says_so(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.broken_pods.update(("zk-0", "zk-1"))
    simulation.remove_pod("zk-0")
    simulation.remove_pod("zk-1")
    simulation.settle()
    simulation.apply(replicas=5)
    simulation.settle()
    assert simulation.condition("Scaled") == ("False", "NoQuorum")
    assert _pods(simulation) == 3
    simulation.broken_pods.clear()
    simulation.settle()
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    assert _pods(simulation) == 5


def test_an_idle_ensemble_costs_no_write_after_scaling(simulation: Any) -> None:
    simulation.apply(replicas=1)
    simulation.settle()
    simulation.apply(replicas=3)
    simulation.settle()
    assert simulation.round() == 0


def _refused(simulation: Any) -> Any:
    """Return five servers that refuse to become three."""
    simulation.apply(replicas=5)
    simulation.settle()
    ensemble = simulation.ensembles["apps/zk"]
    right, ensemble.password = ensemble.password, "another"
    simulation.apply(replicas=3)
    simulation.settle()
    return right


def test_a_refused_change_is_said_once_and_costs_no_further_write(simulation: Any) -> None:
    _refused(simulation)
    told = [c for c in simulation.cluster().status.conditions if c.type == "Scaled"]
    assert "does not accept the super user's password" in told[0].message
    asked = len(simulation.zookeeper.changes)
    for _ in range(3):
        assert simulation.round() == 0
    assert len(simulation.zookeeper.changes) == asked + 3, "it is tried whenever somebody looks"
    events = [event for event in simulation.kube.list(EVENT, "apps") if event["type"] == "Warning"]
    assert [event["reason"] for event in events].count("ReconfigRefused") == 1
    assert len(simulation.resync("unsettled")) == 1


def test_a_refused_change_is_made_once_its_cause_is_gone(simulation: Any) -> None:
    right = _refused(simulation)
    simulation.ensembles["apps/zk"].password = right
    simulation.settle()
    assert len(_members(simulation)) == 3
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    assert simulation.cluster().status.operation is None


@pytest.mark.thorough
def test_a_refused_change_lets_others_move_meanwhile(simulation: Any) -> None:
    """A roll may be the cure: it is what brings the servers a new password."""
    _refused(simulation)
    before = {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}
    assert simulation.cluster().status.operation.message
    simulation.apply(replicas=3, logLevel="DEBUG")
    simulation.settle()
    after = {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}
    assert len(after) == 5
    assert not after & before
    assert simulation.condition("Updated") == ("True", "AsWanted")
    assert simulation.condition("Scaled") == ("False", "ReconfigRefused")


def test_another_size_is_tried_anew_after_a_refusal(simulation: Any) -> None:
    _refused(simulation)
    simulation.apply(replicas=5)
    simulation.settle()
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    assert simulation.cluster().status.operation is None


def _claims(simulation: Any) -> list[str]:
    found = simulation.kube.list(PERSISTENT_VOLUME_CLAIM, "apps")
    return sorted(claim["metadata"]["name"] for claim in found)


@pytest.mark.thorough
def test_volumes_of_servers_that_left_stay_and_are_taken_up_again(simulation: Any) -> None:
    for size in (5, 3):
        simulation.apply(replicas=size)
        simulation.settle()
    assert _claims(simulation) == [f"data-zk-{n}" for n in range(5)]
    simulation.apply(replicas=5)
    simulation.settle()
    assert sorted(_members(simulation)) == [1, 2, 3, 4, 5]
    assert len(simulation.markers) == 5


def test_volumes_of_servers_that_left_are_deleted_where_the_spec_says_so(simulation: Any) -> None:
    storage = {"onScaleDown": "Delete", "log": {"size": "1Gi"}}
    for size in (5, 3):
        simulation.apply(replicas=size, storage=storage)
        simulation.settle()
    kept = [f"{kind}-zk-{n}" for kind in ("data", "datalog") for n in range(3)]
    assert _claims(simulation) == kept
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    assert simulation.cluster().status.operation is None
    assert simulation.round() == 0
    simulation.apply(replicas=5, storage=storage)
    simulation.settle()
    assert sorted(_members(simulation)) == [1, 2, 3, 4, 5]
    assert len(simulation.markers) == 5, "those that come back are filled by the leader"


def test_volumes_left_by_earlier_servers_go_once_the_spec_says_so(simulation: Any) -> None:
    for size in (5, 3):
        simulation.apply(replicas=size)
        simulation.settle()
    simulation.apply(replicas=3, storage={"onScaleDown": "Delete"})
    simulation.settle()
    assert _claims(simulation) == [f"data-zk-{n}" for n in range(3)]


def test_no_volume_is_deleted_while_no_member_list_can_be_looked_at(simulation: Any) -> None:
    for size in (5, 3):
        simulation.apply(replicas=size)
        simulation.settle()
    simulation.broken_pods.update(("zk-0", "zk-1"))
    simulation.remove_pod("zk-0")
    simulation.remove_pod("zk-1")
    simulation.settle()
    simulation.apply(replicas=3, storage={"onScaleDown": "Delete"})
    simulation.settle()
    assert len(_claims(simulation)) == 5
    simulation.broken_pods.clear()
    simulation.settle()
    assert len(_claims(simulation)) == 3
