"""Duplicated, reordered, delayed and lost events, reads that lag: the end is always the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from functions.api.kinds import CONFIG_MAP, SERVICE, STATEFUL_SET, Ref
from tests.handlers.laws import check_invariants, end_state

FUNCTIONS = ("reconcile-cluster", "scale", "roll", "observe")

Action = Callable[[Any], None]


def _deliver(function: str) -> Action:
    def delivered(simulation: Any) -> None:
        assert simulation.deliver(function).status in (204, 409)

    return delivered


def _late(first: str, second: str) -> Action:
    """Let two deliveries read the same world: the second knows nothing of what the first did."""

    def delivered(simulation: Any) -> None:
        with simulation.kube.lagging():
            _deliver(first)(simulation)
            _deliver(second)(simulation)

    return delivered


def _kubernetes(simulation: Any) -> None:
    simulation.kubernetes()


def _pod_deleted(simulation: Any) -> None:
    if simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk")) is not None:
        for pod in simulation.pods()[:1]:
            simulation.remove_pod(pod)


def _object_deleted(kind: Any, name: str) -> Action:
    def deleted(simulation: Any) -> None:
        ref = Ref(kind, "apps", name)
        if (found := simulation.kube.get(ref)) is not None:
            simulation.kube.delete(ref, uid=found["metadata"]["uid"])

    return deleted


ACTIONS: dict[str, Action] = {
    **{function: _deliver(function) for function in FUNCTIONS},
    **{f"{a} then late {b}": _late(a, b) for a in FUNCTIONS for b in FUNCTIONS},
    "kubernetes": _kubernetes,
    "a pod is deleted": _pod_deleted,
    "the Service is deleted": _object_deleted(SERVICE, "zk-client"),
    "the ConfigMap is deleted": _object_deleted(CONFIG_MAP, "zk-config"),
    "the StatefulSet is deleted": _object_deleted(STATEFUL_SET, "zk"),
}


class Beginning:
    """A new cluster, and how it ends when nothing goes wrong."""

    def __init__(self, simulation: Any, wanted: str) -> None:
        self.simulation, self.wanted = simulation, wanted


@pytest.fixture
def beginning(simulation: Any) -> Beginning:
    simulation.passwords.only = "left to chance otherwise"
    simulation.apply(replicas=3)
    straight = simulation.fork()
    straight.settle()
    return Beginning(simulation, end_state(straight))


@pytest.mark.thorough
@settings(
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(story=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=25))
@example(story=["scale", "scale", "scale", "reconcile-cluster", "the StatefulSet is deleted"])
@example(
    story=["observe", "scale then late scale", "reconcile-cluster then late reconcile-cluster"]
)
def test_any_order_of_deliveries_ends_in_the_same_state(
    beginning: Beginning, story: list[str]
) -> None:
    simulation = beginning.simulation.fork()
    for name in story:
        ACTIONS[name](simulation)
        check_invariants(simulation)
    simulation.settle()
    check_invariants(simulation)
    assert end_state(simulation) == beginning.wanted


@settings(
    max_examples=15,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    before=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=12),
    after=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=12),
)
@pytest.mark.thorough
def test_a_deletion_at_any_moment_leaves_nothing_behind(
    beginning: Beginning, before: list[str], after: list[str]
) -> None:
    """Guards against C26: objects made while their cluster is being deleted."""
    simulation = beginning.simulation.fork()
    simulation.apply(replicas=3, clearPersistence=True)
    for name in before:
        ACTIONS[name](simulation)
    simulation.delete()
    for name in after:
        ACTIONS[name](simulation)
    simulation.settle()
    assert simulation.objects_left() == []


@pytest.mark.parametrize("order", [FUNCTIONS, FUNCTIONS[::-1], ("observe", *FUNCTIONS * 3)])
def test_the_order_of_functions_does_not_matter(
    beginning: Beginning, order: tuple[str, ...]
) -> None:
    simulation = beginning.simulation
    simulation.settle(order)
    assert end_state(simulation) == beginning.wanted


def test_all_events_lost_are_made_up_for_by_resync_alone(beginning: Beginning) -> None:
    simulation = beginning.simulation
    for _ in range(30):
        for ref in simulation.resync("unsettled"):
            for function in FUNCTIONS:
                simulation.deliver(function, ref)
        simulation.kubernetes()
    assert simulation.resync("unsettled") == []
    assert end_state(simulation) == beginning.wanted


def test_no_volume_is_made_before_its_deletion_can_be_waited_for(beginning: Beginning) -> None:
    """A cluster that is deleted at once must not leave the volumes of its first creation."""
    simulation = beginning.simulation
    for _ in range(3):
        simulation.deliver("scale")
    assert simulation.objects_left() == ["ZooKeeperCluster zk"]
    simulation.deliver("reconcile-cluster")
    simulation.deliver("scale")
    assert "PersistentVolumeClaim data-zk-0" in simulation.objects_left()
