"""Servers that are, or may be, members already although not everybody knows."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.kinds import POD, Ref
from functions.planning.ensemble import DiskReport, EnsembleConfig, SeenServers
from functions.planning.growth import move_of
from functions.planning.joiners import pod_to_replace
from functions.planning.member_list import parse_member
from functions.planning.scale_slice import Seen
from functions.planning.scaling import Hold, ReplacePod, RunServers
from functions.planning.seen import SeenPod
from functions.planning.sizing import plan_scale
from functions.planning.steps import DeleteObject, Plan
from tests.unit.planned import NOW, after, cluster, pod, record, stateful_set, stats, told


def _disk(*members: int) -> DiskReport:
    return DiskReport(False, 0x100000001, 1, frozenset(members), frozenset(members))


def _seen(report: DiskReport | None, *modes: str, last: SeenPod | None = None) -> Seen:
    """Return three pods of which the first ones serve in these modes; `report` is of the third."""
    servers = {number: stats(mode) for number, mode in enumerate(modes, start=1)}
    lines = [f"server.{n}=zk-{n}:2888:3888:participant;2181" for n in (1, 2)]
    config = EnsembleConfig(7, tuple(map(parse_member, lines))) if "leader" in modes else None
    hosts = {number: f"10.0.0.{number}" for number in (1, 2, 3)}
    return Seen(
        stateful_set=stateful_set(3),
        claims=(),
        pods=(pod("zk-0"), pod("zk-1"), last or pod("zk-2", is_ready=False)),
        servers=SeenServers(servers, hosts, config),
        budget=None,
        disks={} if report is None else {3: report},
    )


SERVING = ("leader", "follower")


@pytest.mark.parametrize(
    ("replicas", "seen", "is_replaced"),
    [
        pytest.param(3, _seen(_disk(1, 2), *SERVING), True, id="its-list-lacks-it"),
        pytest.param(3, _seen(_disk(1, 2)), True, id="and-nobody-leads"),
        pytest.param(3, _seen(_disk(1, 2, 3), *SERVING), False, id="its-list-names-it"),
        pytest.param(3, _seen(_disk(), *SERVING), True, id="its-list-is-gone"),
        pytest.param(3, _seen(_disk()), False, id="its-list-is-gone-and-nobody-could-fill-it"),
        pytest.param(3, _seen(None, *SERVING), False, id="nobody-knows-its-list"),
        pytest.param(3, _seen(_disk(1, 2), *SERVING, ""), False, id="it-runs"),
        pytest.param(2, _seen(_disk(1, 2), *SERVING), False, id="it-is-not-wanted"),
        pytest.param(
            3, _seen(_disk(1, 2), *SERVING, last=pod("zk-2", is_deleting=True)), False,
            id="it-ends-already",
        ),
    ],
)  # fmt: skip
def test_a_pod_is_replaced_only_if_its_server_cannot_start(
    replicas: int, seen: Seen, is_replaced: bool
) -> None:
    wanted = ReplacePod("zk-2", "uid-of-zk-2") if is_replaced else None
    assert pod_to_replace(cluster(replicas=replicas), seen) == wanted


@pytest.mark.parametrize("modes", [SERVING, ()], ids=["led", "nobody-leads"])
def test_an_ephemeral_pod_is_not_replaced_while_it_may_hold_the_only_data(
    modes: tuple[str, ...],
) -> None:
    ephemeral = cluster(replicas=3, storage={"ephemeral": True})
    assert (pod_to_replace(ephemeral, _seen(_disk(1, 2), *modes)) is None) == (not modes)


def test_the_replacement_is_told_recorded_and_made_by_uid() -> None:
    members = [{"id": number, "role": "participant", "configVersion": 7} for number in (1, 2)]
    known: Any = cluster(
        {"bootstrap": record("completed", 2), "members": members},
        replicas=3,
        disruptionBudget={"enabled": False},
    )
    plans: list[Plan] = []
    for _ in range(3):
        plans.append(plan_scale(known, _seen(_disk(1, 2), *SERVING), NOW))
        known = after(known, plans[-1])
    assert [told(plan) for plan in plans] == [[], ["PodReplaced"], []]
    assert known.status.operation.step == "ReplacePod"
    assert known.status.operation.pod_uid == "uid-of-zk-2"
    assert plans[-1][0] == DeleteObject(Ref(POD, "apps", "zk-2"), "uid-of-zk-2")


@pytest.mark.parametrize(
    ("step", "pods"),
    [
        pytest.param({"step": "AddMember", "serverId": 2}, 2, id="it-is-being-added"),
        pytest.param({"step": "RunServers", "replicas": 2}, 2, id="its-pod-is-being-started"),
        pytest.param({"step": "RemoveMember", "serverId": 2}, 0, id="it-is-being-removed"),
        pytest.param(None, 0, id="nothing-is-under-way"),
    ],
)
def test_while_nobody_leads_a_server_that_may_be_a_member_has_its_pod(
    step: dict[str, Any] | None, pods: int
) -> None:
    """The change took effect, its writer died, a late delivery stopped the pod (tests/model)."""
    operation = {"operation": {"type": "Scale", **step}} if step is not None else {}
    members = [{"id": 1, "role": "participant"}]
    known = cluster({"bootstrap": record("completed", 1), "members": members, **operation})
    move, _ = move_of(known, SeenServers({}, {}, None), stateful_set(1))
    assert move == RunServers(pods) if pods else isinstance(move, Hold)
