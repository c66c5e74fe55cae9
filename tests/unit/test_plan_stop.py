"""Stopping: what is asked of the pods, what status keeps for waking, and what is never touched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.api.cluster import ZooKeeperCluster
from functions.planning.ensemble import EnsembleConfig, Member, SeenServers
from functions.planning.observation import plan_observe
from functions.planning.protection import SeenBudget
from functions.planning.rolling import Seen as RollSeen
from functions.planning.rolling import plan_roll
from functions.planning.scale_slice import Seen
from functions.planning.sizing import plan_scale
from functions.planning.steps import (
    Announce,
    ApplyObject,
    CreateObject,
    LookAgain,
    Reconfigure,
    WriteStatus,
)
from tests.unit.planned import (
    MEMBERS,
    NOW,
    after,
    claims,
    cluster,
    condition,
    kinds,
    message,
    pod,
    record,
    stateful_set,
    stats,
    status,
    told,
)

NOBODY = SeenServers({}, {}, None)


def _asked(**more: Any) -> Any:
    known = {"bootstrap": record("completed", volumes=3), "members": MEMBERS}
    return cluster({**known, **more}, stopped=True)


def _seen(pods: int = 3, replicas: int = 3, servers: SeenServers = NOBODY) -> Seen:
    running = tuple(pod(f"zk-{n}") for n in range(pods))
    return Seen(stateful_set(replicas), claims(), running, servers, None)


def _listed(*ids: int) -> SeenServers:
    members = tuple(Member(n, f"zk-{n - 1}", "participant") for n in ids)
    return SeenServers({1: stats("leader")}, {1: "10.0.0.1"}, EnsembleConfig(7, members))


def _told(seen: Seen, known: Any) -> Any:
    """Return the cluster once its condition and its members are written."""
    return after(known, plan_scale(known, seen, NOW))


def test_the_committed_list_is_on_record_before_anything_stops() -> None:
    seen = _seen(pods=5, replicas=5, servers=_listed(1, 2, 3, 4))
    plan = plan_scale(_asked(), seen, NOW)
    assert kinds(plan) == [WriteStatus, LookAgain]
    assert [member["id"] for member in status(plan)["members"]] == [1, 2, 3, 4]
    assert condition(plan, "Scaled") == ("False", "Stopping")


def test_the_step_is_recorded_before_the_servers_stop() -> None:
    known = _told(_seen(), _asked())
    plan = plan_scale(known, _seen(), NOW)
    assert kinds(plan) == [Announce, WriteStatus, LookAgain]
    assert status(plan)["operation"] == {
        "type": "Stop", "step": "RunServers", "target": "every server", "replicas": 0,
        "startedAt": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    (applied, _) = plan_scale(after(known, plan), _seen(), NOW)
    assert isinstance(applied, ApplyObject)
    assert applied.manifest["spec"] == {"replicas": 0}


def test_the_step_of_another_mover_is_waited_for() -> None:
    known = _told(_seen(), _asked(operation={"type": "Roll", "step": "ReplacePod"}))
    assert plan_scale(known, _seen(), NOW) == ()


@pytest.mark.parametrize("kind", ["Scale", "Stop"])
def test_a_step_of_scale_itself_is_replaced(kind: str) -> None:
    known = _told(_seen(), _asked(operation={"type": kind, "step": "RemoveMember", "serverId": 3}))
    assert status(plan_scale(known, _seen(), NOW))["operation"]["type"] == "Stop"


def test_pods_that_are_still_there_are_waited_for() -> None:
    seen = _seen(pods=1, replicas=0)
    assert plan_scale(_told(seen, _asked()), seen, NOW) == ()


def test_once_no_pod_is_left_the_step_ends_and_status_says_how_to_wake() -> None:
    seen = _seen(pods=0, replicas=0)
    plan = plan_scale(_asked(operation={"type": "Stop", "step": "RunServers"}), seen, NOW)
    assert condition(plan, "Scaled") == ("True", "Stopped")
    assert "The volumes keep the data" in message(plan, "Scaled")
    assert "spec.stopped to false to start 3 servers again" in message(plan, "Scaled")
    known = after(_asked(operation={"type": "Stop", "step": "RunServers"}), plan)
    (cleared, _) = plan_scale(known, seen, NOW)
    assert isinstance(cleared, WriteStatus)
    assert cleared.manifest["status"] == {}
    (budget,) = plan_scale(_without_operation(known), seen, NOW)
    assert isinstance(budget, ApplyObject)
    assert budget.manifest["spec"]["minAvailable"] == 0


def test_as_many_servers_wake_as_the_highest_member_needs() -> None:
    seen = _seen(pods=0, replicas=0)
    known = cluster(
        {"bootstrap": record("completed"), "members": [MEMBERS[0], MEMBERS[2]]}, replicas=1
    )
    for _ in range(4):
        plan = plan_scale(known, seen, NOW)
        known = after(known, plan)
        applied = [step.manifest for step in plan if isinstance(step, ApplyObject)]
        if applied and applied[0]["kind"] == "PodDisruptionBudget":
            seen = replace(seen, budget=SeenBudget(applied[0], "uid-of-budget", True))
    assert [manifest["spec"] for manifest in applied] == [{"replicas": 3}]


def _without_operation(known: ZooKeeperCluster) -> ZooKeeperCluster:
    status_of = known.status.model_copy(update={"operation": None})
    return known.model_copy(update={"status": status_of})


@pytest.mark.parametrize(
    ("held", "ids"),
    [
        pytest.param({"step": "AddMember", "serverId": 4}, [1, 2, 3, 4], id="it-may-have-joined"),
        pytest.param({"step": "AddMember", "serverId": 2}, [1, 2, 3], id="it-is-one-already"),
        pytest.param({"step": "RemoveMember", "serverId": 3}, [1, 2, 3], id="it-may-have-left"),
        pytest.param({"step": "RunServers", "replicas": 5}, [1, 2, 3], id="nobody-joined"),
    ],
)
def test_without_a_leader_whoever_may_be_a_member_wakes(
    held: dict[str, Any], ids: list[int]
) -> None:
    plan = plan_scale(_asked(operation={"type": "Scale", **held}), _seen(), NOW)
    assert [member["id"] for member in status(plan)["members"]] == ids


def test_a_first_quorum_is_put_on_record_before_it_stops() -> None:
    known = cluster({"bootstrap": record("open", volumes=3)}, stopped=True)
    seen = _seen(servers=SeenServers({1: stats("leader"), 2: stats("follower")}, {}, None))
    assert status(plan_scale(known, seen, NOW))["bootstrap"]["state"] == "completed"


def test_a_new_cluster_that_is_stopped_makes_no_record_and_no_volume() -> None:
    seen = Seen(None, (), (), NOBODY, None)
    plan = plan_scale(cluster(stopped=True), seen, NOW)
    assert "bootstrap" not in status(plan)
    assert condition(plan, "Scaled") == ("True", "Stopped")
    assert "to create 3 servers" in message(plan, "Scaled")


def test_servers_without_a_record_are_adopted_before_they_stop() -> None:
    plan = plan_scale(cluster(stopped=True), _seen(), NOW)
    assert status(plan)["bootstrap"]["state"] == "adopted"
    assert told(plan) == ["Adopted"]


def test_somebody_elses_stateful_set_is_not_stopped() -> None:
    seen = Seen(stateful_set(controller_uid="other"), claims(), (pod("zk-0"),), NOBODY, None)
    plan = plan_scale(_asked(), seen, NOW)
    assert kinds(plan) == [WriteStatus]
    assert condition(plan, "Scaled") == ("False", "NoStatefulSet")


@given(
    st.sampled_from(["open", "completed", "adopted"]),
    st.integers(0, 5),
    st.integers(0, 5),
    st.none() | st.sampled_from(["Scale", "Roll", "Stop", "Restore"]),
    st.booleans(),
)
def test_no_plan_makes_or_moves_anything_while_stopped(
    state: str, pods: int, replicas: int, held: str | None, is_led: bool
) -> None:
    operation = {"operation": {"type": held, "step": "RunServers"}} if held else {}
    known = cluster(
        {"bootstrap": record(state, volumes=3), "members": MEMBERS, **operation}, stopped=True
    )
    seen = _seen(pods, replicas, _listed(1, 2, 3) if is_led else NOBODY)
    for _ in range(6):
        plan = plan_scale(known, seen, NOW)
        assert not {CreateObject, Reconfigure} & set(kinds(plan))
        for step in plan:
            if isinstance(step, ApplyObject) and step.manifest["kind"] == "StatefulSet":
                assert step.manifest["spec"] == {"replicas": 0}
                assert known.status.operation is not None
                assert known.status.operation.type == "Stop"
        ended = any(isinstance(s, WriteStatus) and not s.manifest["status"] for s in plan)
        known = _without_operation(known) if ended else after(known, plan)
    assert WriteStatus not in kinds(plan)


def test_a_roll_replaces_nothing_and_lets_go_while_stopped() -> None:
    known = _asked(operation={"type": "Roll", "step": "ReplacePod", "podUid": "uid-of-zk-1"})
    outdated = tuple(pod(f"zk-{n}", revision="old") for n in range(3))
    seen = RollSeen(stateful_set(update_revision="new"), outdated, NOBODY)
    plan = plan_roll(known, seen, NOW)
    assert condition(plan, "Updated") == ("False", "Stopping")
    (cleared, _) = plan_roll(after(known, plan), seen, NOW)
    assert isinstance(cleared, WriteStatus)
    assert cleared.manifest["status"] == {}


@pytest.mark.parametrize(
    ("spec", "pods", "modes", "available", "words"),
    [
        pytest.param({"stopped": True}, 0, (), ("False", "Stopped"), "is stopped", id="stopped"),
        pytest.param(
            {"stopped": True}, 3, ("leader", "follower", "follower"), ("True", "QuorumServes"), "",
            id="not-yet-stopped",
        ),
        pytest.param(
            {"stopped": True, "paused": True}, 0, (), ("False", "Stopped"), "is stopped",
            id="paused-in-its-sleep",
        ),
        pytest.param(
            {"stopped": True, "paused": True}, 3, ("", "", ""), ("False", "NoQuorum"),
            "runs without a quorum", id="paused-before-it-could-stop",
        ),
    ],
)  # fmt: skip
def test_status_says_of_servers_that_rest_on_wish_that_they_are_stopped(
    spec: dict[str, Any],
    pods: int,
    modes: tuple[str, ...],
    available: tuple[str, str],
    words: str,
) -> None:
    known = cluster({"bootstrap": record("completed"), "members": MEMBERS}, **spec)
    running = tuple(pod(f"zk-{n}") for n in range(pods))
    answers = {f"zk-{n}": stats(mode) for n, mode in enumerate(modes)}
    plan = plan_observe(known, running, answers, None, NOW)
    assert condition(plan, "Available") == available
    assert {server["message"] for server in status(plan)["servers"]} == {words}
    warnings = [step for step in plan if isinstance(step, Announce) and step.type == "Warning"]
    assert bool(warnings) == (available[1] == "NoQuorum")
