"""The condition Spread: servers that share one node share its fate."""

from __future__ import annotations

from typing import Any

import pytest

from functions.planning.observation import plan_observe
from functions.planning.seen import SeenPod
from functions.planning.spread import shared_node
from tests.unit.planned import NOW, after, cluster, condition, message, pod, record, told

COMPLETED = {"bootstrap": record("completed")}


def _pods(*nodes: str, **more: Any) -> tuple[SeenPod, ...]:
    return tuple(pod(f"zk-{number}", node=node, **more) for number, node in enumerate(nodes))


@pytest.mark.parametrize(
    ("nodes", "count", "expected"),
    [
        pytest.param(("a", "a", "a"), 3, ("False", "OneNode"), id="all on one of three"),
        pytest.param(("a", "a", "a"), 1, ("True", "OnlyNode"), id="there is no other"),
        pytest.param(("a", "b", "a"), None, ("True", "SeveralNodes"), id="two on one"),
        pytest.param(("a", "b", "c"), None, ("True", "SeveralNodes"), id="one on each"),
    ],
)
def test_servers_on_one_node_are_a_warning_when_there_are_others(
    nodes: tuple[str, ...], count: int | None, expected: tuple[str, str]
) -> None:
    plan = plan_observe(cluster(COMPLETED), _pods(*nodes), {}, count, NOW)
    assert condition(plan, "Spread") == expected


def test_the_warning_says_what_to_do_and_is_told_once() -> None:
    plan = plan_observe(cluster(COMPLETED), _pods("a", "a", "a"), {}, 2, NOW)
    assert message(plan, "Spread").startswith("All 3 voters run on a although 2 nodes take pods")
    assert "OneNode" in told(plan)
    known = after(cluster(COMPLETED), plan)
    assert plan_observe(known, _pods("a", "a", "a"), {}, 2, NOW) == ()


def test_that_all_is_well_is_no_news() -> None:
    plan = plan_observe(cluster(COMPLETED), _pods("a", "b", "c"), {}, None, NOW)
    assert "SeveralNodes" not in told(plan)


@pytest.mark.parametrize(
    ("pods", "count"),
    [
        pytest.param(_pods("b", "", "a"), None, id="a pod waits for a node"),
        pytest.param(_pods("b", "a"), None, id="a pod is missing"),
        pytest.param(_pods("a", "a", "a"), None, id="nodes cannot be counted"),
        pytest.param(_pods("b", "b", "b", is_deleting=True), 3, id="the pods go away"),
    ],
)
def test_what_is_not_known_changes_nothing(pods: tuple[SeenPod, ...], count: int | None) -> None:
    first = plan_observe(cluster(COMPLETED), _pods("a", "a", "a"), {}, 3, NOW)
    plan = plan_observe(after(cluster(COMPLETED), first), pods, {}, count, NOW)
    assert not plan or condition(plan, "Spread") == ("False", "OneNode")


def test_nothing_is_said_before_anything_is_known() -> None:
    known = cluster(COMPLETED)
    plan = plan_observe(known, _pods("a", "", ""), {}, None, NOW)
    assert {c.type for c in after(known, plan).status.conditions} == {"Available", "QuorumHealthy"}


def test_a_single_server_has_nothing_to_spread() -> None:
    known = cluster({"bootstrap": record("completed", size=1)}, replicas=1)
    plan = plan_observe(known, _pods("a"), {}, 3, NOW)
    assert "Spread" not in {c.type for c in after(known, plan).status.conditions}
    assert shared_node(known, _pods("a")) == ""


def test_observers_may_be_anywhere() -> None:
    pods = (*_pods("a", "a", "a"), pod("zk-3", node="b"))
    assert shared_node(cluster(COMPLETED), pods) == "a"
