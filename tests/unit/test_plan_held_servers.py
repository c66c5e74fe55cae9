"""What `scale`, `observe` and `roll` do while a restore holds the servers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from functions.api.cluster import ZooKeeperCluster
from functions.planning.ensemble import Door, EnsembleConfig, SeenServers, ServerStats
from functions.planning.member_list import parse_member
from functions.planning.observation import plan_observe
from functions.planning.rolling import Seen as RollSeen
from functions.planning.rolling import plan_roll
from functions.planning.scale_slice import Seen
from functions.planning.sizing import plan_scale
from functions.planning.steps import (
    Announce,
    ApplyObject,
    DeleteObject,
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
    told,
)

NONE = SeenServers({}, {}, None)
PODS = tuple(pod(f"zk-{n}") for n in range(3))
HOST = "zk-{}.zk.apps.svc.cluster.local:2888:3888:participant"


def held(step: str, **more: Any) -> ZooKeeperCluster:
    """Return the cluster at a step of a restore; `restored` names the one whose data it has."""
    operation = {"type": "Restore", "step": step, "target": "back", "ownerUid": "uid-of-back"}
    known: dict[str, Any] = {"bootstrap": record("completed", volumes=3), "members": MEMBERS}
    known |= {"operation": operation} | {k: more.pop(k) for k in ("restored",) if k in more}
    return cluster(known, **more)


def servers(*modes: str, port: int = 2181, version: int = 7) -> SeenServers:
    told = {n + 1: ServerStats(mode, 5 << 32, "3.9.5", 1) for n, mode in enumerate(modes) if mode}
    members = tuple(
        parse_member(f"server.{n + 1}={HOST.format(n)};0.0.0.0:{port}") for n in range(3)
    )
    config = EnsembleConfig(version, members) if "leader" in modes else None
    return SeenServers(told, {n: f"10.0.0.{n}" for n in told}, config)


def look(**more: Any) -> Seen:
    given: dict[str, Any] = {
        "stateful_set": stateful_set(3), "claims": claims(), "pods": PODS, "servers": NONE,
        "budget": None,
    }  # fmt: skip
    return Seen(**{**given, **more})


def done(asked: ZooKeeperCluster, seen: Seen) -> tuple[Any, ...]:
    """Return what is done once the condition says what goes on."""
    said = plan_scale(asked, seen, NOW)
    assert condition(said, "Scaled") == ("False", "Restoring")
    assert LookAgain() in said
    return plan_scale(after(asked, said), seen, NOW)


def replicas(plan: tuple[Any, ...]) -> int | None:
    found = [step.manifest["spec"]["replicas"] for step in plan if isinstance(step, ApplyObject)]
    return found[0] if found else None


def moved(plan: tuple[Any, ...]) -> str:
    for written in plan:
        if isinstance(written, WriteStatus) and written.manager == "zookeeper-operation":
            return str(written.manifest["status"].get("operation", {"step": "none"})["step"])
    return ""


@pytest.mark.parametrize(
    ("step", "there", "wanted"),
    [
        pytest.param("Arm", 3, None, id="armed-runs-on"),
        pytest.param("Stop", 3, 0, id="stop"),
        pytest.param("Stop", 0, None, id="stopped"),
        pytest.param("Start", 0, 3, id="start"),
        pytest.param("Start", 3, None, id="started"),
        pytest.param("Open", 0, 3, id="open"),
        pytest.param("StopBack", 3, 0, id="stop-back"),
        pytest.param("StartBack", 0, 3, id="start-back"),
    ],
)
def test_as_many_servers_run_as_the_step_says(step: str, there: int, wanted: int | None) -> None:
    assert replicas(done(held(step), look(stateful_set=stateful_set(there)))) == wanted


@pytest.mark.parametrize("step", ["Stop", "Start"])
@pytest.mark.parametrize(
    "found",
    [
        pytest.param(None, id="none"),
        pytest.param(stateful_set(1, controller_uid="x"), id="foreign"),
    ],
)
def test_a_stateful_set_that_is_not_ours_is_left_alone(step: str, found: Any) -> None:
    assert done(held(step), look(stateful_set=found)) == ()


def test_a_wish_to_stop_or_to_grow_waits() -> None:
    assert replicas(done(held("Start", stopped=True), look(stateful_set=stateful_set(0)))) == 3
    assert done(held("Start", replicas=5), look()) == ()


def test_a_pause_wins() -> None:
    plan = plan_scale(held("Stop", paused=True), look(), NOW)
    assert condition(plan, "Scaled") == ("False", "Paused")


CLOSED = servers("leader", "follower", "follower", port=12181)


def test_one_change_opens_every_member_through_the_closed_port() -> None:
    change, again = done(held("Open"), look(closed=CLOSED))
    assert isinstance(change, Reconfigure)
    assert again == LookAgain()
    assert change.joining.count(";0.0.0.0:2181") == 3
    assert (change.leaving, change.from_config, change.host) == ("", 7, "10.0.0.1")
    assert change.port not in (0, 2181)
    assert change.witnesses == ("10.0.0.1", "10.0.0.2", "10.0.0.3")


@pytest.mark.parametrize(
    "closed",
    [
        pytest.param(NONE, id="nobody-there"),
        pytest.param(servers("leader", "follower", ""), id="open-already"),
    ],
)
def test_nothing_is_changed_that_is_so_already(closed: SeenServers) -> None:
    assert done(held("Open"), look(closed=closed)) == ()


SHUT = Door(0, "zk-0.zk")


@pytest.mark.parametrize(
    ("closed", "host"),
    [({1: SHUT}, "10.0.0.2"), (dict.fromkeys((1, 2, 3), SHUT), None)],
    ids=["one-takes-clients-by-tls-alone", "all-do"],
)
def test_servers_that_take_clients_by_tls_alone_are_not_opened_by_the_list(
    closed: dict[int, Door], host: str | None
) -> None:
    """Nor can they be asked: they have no port for TLS until they are rolled."""
    plan = done(held("Open"), look(closed=replace(CLOSED, doors=closed)))
    changes = [step for step in plan if isinstance(step, Reconfigure)]
    assert [step.host for step in changes] == ([host] if host else [])
    for step in changes:
        assert step.joining.count(";127.0.0.1:2189") == len(closed)


def test_nobody_is_let_in_before_the_step_says_so() -> None:
    assert done(held("Start"), look(closed=CLOSED)) == ()


def test_a_refused_change_stays_said_and_is_asked_for_again() -> None:
    refused = {
        "type": "Scaled", "status": "False", "reason": "ReconfigRefused", "message": "no.",
        "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    asked = held("Open")
    known = asked.status.model_dump(by_alias=True, exclude_none=True, mode="json")
    asked = cluster({**known, "conditions": [refused]})
    assert kinds(plan_scale(asked, look(closed=CLOSED), NOW)) == [Reconfigure, LookAgain]


def test_pods_of_an_older_revision_that_do_not_answer_are_replaced() -> None:
    found = stateful_set(3, update_revision="new")
    sick = replace(PODS[0], is_ready=False, revision="old")
    pods = (
        sick,
        replace(PODS[1], is_ready=False, revision="new"),
        replace(PODS[2], is_ready=False, revision="old"),
    )
    answering = SeenServers({3: stats("")}, {}, None)
    seen = look(stateful_set=found, pods=pods, servers=answering)
    (gone,) = done(held("StartBack"), seen)
    assert isinstance(gone, DeleteObject)
    assert (gone.ref.name, gone.uid) == ("zk-0", sick.uid)
    unseen = replace(seen, stateful_set=replace(found, is_observed=False))
    assert done(held("StartBack"), unseen) == ()
    for other in (replace(sick, is_ready=True), replace(sick, is_deleting=True)):
        assert done(held("StartBack"), replace(seen, pods=(other,))) == ()


SERVING = servers("leader", "follower", "follower")
STOPPED = {"stateful_set": stateful_set(0), "pods": ()}


@pytest.mark.parametrize(
    ("step", "restored", "more", "following"),
    [
        pytest.param("Arm", "", {}, "none", id="nothing-was-touched"),
        pytest.param("Stop", "", {}, "StartBack", id="no-data-was-touched"),
        pytest.param("Start", "", {}, "StopBack", id="half-way"),
        pytest.param("StopBack", "", {}, "", id="still-stopping"),
        pytest.param("StopBack", "", STOPPED, "StartBack", id="stopped"),
        pytest.param("StartBack", "", {}, "", id="starting"),
        pytest.param("StartBack", "", {"servers": SERVING}, "none", id="own-data-serves"),
        pytest.param(
            "StartBack",
            "",
            {"servers": SERVING, "stateful_set": stateful_set(0)},
            "",
            id="about-to-stop",
        ),
        pytest.param("Start", "uid-of-back", {}, "Open", id="looked-at"),
        pytest.param("Open", "uid-of-back", {}, "", id="opening"),
        pytest.param("Open", "uid-of-back", {"servers": SERVING}, "none", id="clients-are-in"),
        pytest.param("Open", "another", {"servers": SERVING}, "StopBack", id="never-looked-at"),
    ],
)
def test_a_restore_that_is_gone_is_brought_to_an_end(
    step: str, restored: str, more: dict[str, Any], following: str
) -> None:
    asked = held(step, **({"restored": restored} if restored else {}))
    plan = done(asked, look(is_orphaned=True, **more))
    assert moved(plan) == following
    assert told(plan) == (["RestoreGone"] if following == "none" else [])


def test_servers_go_on_as_told_while_the_owner_is_there() -> None:
    assert moved(done(held("Start"), look())) == ""


def test_clients_that_are_not_served_are_told_of_the_restore() -> None:
    plan = plan_observe(held("Stop"), (), {}, None, NOW)
    assert condition(plan, "Available") == ("False", "Restoring")
    assert "(Stop)" in message(plan, "Available")
    news = [step for step in plan if isinstance(step, Announce)]
    assert [(it.type, it.reason) for it in news] == [("Normal", "Restoring")]


def test_clients_that_are_served_are_told_so_all_the_same() -> None:
    answers = {f"zk-{n}": stats("leader" if n == 0 else "follower") for n in range(3)}
    for step in ("Arm", "Stop"):
        plan = plan_observe(held(step), PODS, answers, None, NOW)
        assert condition(plan, "Available") == ("True", "QuorumServes")


def test_before_anything_stops_a_missing_server_is_just_missing() -> None:
    plan = plan_observe(held("Arm"), PODS[:2], {}, None, NOW)
    assert condition(plan, "Available")[1] != "Restoring"


def test_a_roll_waits_for_the_restore() -> None:
    found = stateful_set(3, update_revision="new")
    seen = RollSeen(found, tuple(replace(it, revision="old") for it in PODS), SERVING)
    assert condition(plan_roll(held("Arm"), seen, NOW), "Updated") == ("False", "Restoring")
