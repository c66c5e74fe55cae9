"""Changing the number of servers, on the memory twin."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.kinds import STATEFUL_SET, Ref


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
    assert simulation.condition("Scaled") == ("False", "Scaling")


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
