"""A lost majority: what is said of it, and who may vote again once a person has decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from functions.api.cluster import ZooKeeperCluster
from functions.planning.ensemble import DiskReport, SeenServers
from functions.planning.losses import incident_id, losses_of
from functions.planning.membership import quorum
from functions.planning.scale_slice import Seen
from functions.planning.seen import SeenClaim
from functions.planning.sizing import plan_scale
from functions.planning.steps import DeleteObject, LookAgain, Plan, WriteStatus
from tests.unit.planned import (
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

LATER = 0x200000005
EARLIER = 0x100000007

Disks = Mapping[int, DiskReport | None]


def data(zxid: int = LATER, size: int = 3, epoch: int = 0) -> DiskReport:
    ids = frozenset(range(1, size + 1))
    return DiskReport(False, zxid, max(epoch, zxid >> 32), ids, ids)


EMPTY = DiskReport(True, None, 0, frozenset({1, 2, 3}), frozenset({1, 2, 3}))
LET_IN = replace(EMPTY, is_empty=False, zxid=0)
UNREADABLE = replace(EMPTY, is_empty=False)
UNKNOWN = None


def known(size: int = 3, *, state: str = "completed", extra: Any = None, **spec: Any) -> Any:
    """Return a cluster that has run with `size` voters."""
    members = [{"id": n + 1, "name": f"zk-{n}", "role": "participant"} for n in range(size)]
    told = {"bootstrap": record(state, size), "members": members, **(extra or {})}
    return cluster(told, replicas=size, disruptionBudget={"enabled": False}, **spec)


def seen(disks: Disks, modes: Mapping[int, str] | None = None, size: int = 3) -> Seen:
    """Return what is seen of `size` servers that nobody leads, unless `modes` says otherwise."""
    said = {n: stats("") for n in range(1, size + 1)}
    said |= {n: stats(mode) for n, mode in (modes or {}).items()}
    return Seen(
        stateful_set(size),
        claims(size),
        tuple(pod(f"zk-{n}") for n in range(size)),
        SeenServers(said, {n: f"10.0.0.{n}" for n in range(1, size + 1)}, None),
        None,
        {n: report for n, report in disks.items() if report is not None},
    )


def lost(disks: Disks, size: int = 3, **more: Any) -> tuple[ZooKeeperCluster, Seen]:
    """Return a cluster whose status shows the incident already, and what is seen of it."""
    found = seen(disks, size=size)
    first = known(size, **more)
    return after(first, plan_scale(first, found, NOW)), found


def decided(before: ZooKeeperCluster, continue_from: str, incident: str = "") -> ZooKeeperCluster:
    recovery = {"incident": incident or before.status.incident, "continueFrom": continue_from}
    manifest = before.model_dump(by_alias=True, exclude_none=True, mode="json")
    manifest["spec"] = {**manifest["spec"], "recovery": recovery}
    return ZooKeeperCluster.parse(manifest)


def carried_out(before: ZooKeeperCluster, found: Seen) -> tuple[ZooKeeperCluster, Plan]:
    """Plan until a plan no longer asks to look again; return that plan too."""
    for _ in range(5):
        plan = plan_scale(before, found, NOW)
        before = after(before, plan)
        if LookAgain not in kinds(plan):
            return before, plan
    raise AssertionError("it never ends")


TWO_LOST = {1: EMPTY, 2: EMPTY, 3: data()}


@pytest.mark.parametrize(
    ("disks", "reason"),
    [
        pytest.param(TWO_LOST, "MajorityLost", id="two-of-three"),
        pytest.param({1: EMPTY, 2: EMPTY, 3: UNKNOWN}, "MajorityLost", id="the-third-is-unknown"),
        pytest.param({1: EMPTY, 2: EMPTY, 3: EMPTY}, "MajorityLost", id="all"),
        pytest.param({1: EMPTY, 2: data(), 3: data()}, "NoQuorum", id="one-of-three"),
        pytest.param({1: EMPTY, 2: UNKNOWN, 3: data()}, "NoQuorum", id="one-may-be-there"),
        pytest.param({1: EMPTY, 2: UNREADABLE, 3: data()}, "NoQuorum", id="files-of-unknown-use"),
        pytest.param({1: EMPTY, 2: LET_IN, 3: data()}, "NoQuorum", id="one-was-let-in-empty"),
        pytest.param({}, "NoQuorum", id="nothing-is-known"),
    ],
)
def test_a_majority_is_lost_when_too_few_can_ever_vote(disks: Disks, reason: str) -> None:
    plan = plan_scale(known(), seen(disks), NOW)
    assert condition(plan, "Scaled") == ("False", reason)
    assert ("incident" in status(plan)) == (reason == "MajorityLost")
    assert told(plan) == (["MajorityLost"] if reason == "MajorityLost" else [])


@pytest.mark.parametrize(
    ("disks", "parts"),
    [
        pytest.param(
            TWO_LOST,
            ["zk-0 and zk-1 have lost", "1 of 3 voters may vote, 2 are needed",
             "zk-2 holds data up to 0x200000005.", "continueFrom: zk-2}", "backup"],
            id="one-holder",
        ),
        pytest.param(
            {1: EMPTY, 2: EMPTY, 3: UNKNOWN},
            ["zk-2 is unknown: it cannot be asked", "delete its volume claim and its pod"],
            id="one-unknown",
        ),
        pytest.param(
            {1: EMPTY, 2: EMPTY, 3: EMPTY},
            ["zk-0, zk-1 and zk-2 have lost", "No disk holds data", "create it anew"],
            id="none-left",
        ),
        pytest.param(
            {1: EMPTY, 2: LET_IN, 3: EMPTY},
            ["zk-1 holds no transaction yet", "No disk holds data"],
            id="only-one-that-was-let-in",
        ),
    ],
)  # fmt: skip
def test_a_person_is_told_who_lost_what_and_what_to_do(disks: Disks, parts: list[str]) -> None:
    said = message(plan_scale(known(), seen(disks), NOW), "Scaled")
    assert [part for part in parts if part not in said] == []
    assert "docs/operations/lost-majority.md" in said


def test_a_single_server_is_told_of_as_such() -> None:
    said = message(plan_scale(known(1), seen({1: EMPTY}, size=1), NOW), "Scaled")
    assert "zk-0, the only server, has lost its disk" in said


def test_ephemeral_storage_is_told_of_as_such() -> None:
    known_as = known(storage={"ephemeral": True})
    said = message(plan_scale(known_as, seen(TWO_LOST), NOW), "Scaled")
    assert "ephemeral storage goes with its pod" in said
    assert "Bring a lost disk back" not in said


def test_an_incident_is_told_once_and_has_one_name() -> None:
    before, found = lost(TWO_LOST)
    assert plan_scale(before, found, NOW) == ()
    assert before.status.incident


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda c, s: (c, replace(s, claims=_other_claim(s))), id="another-volume"),
        pytest.param(lambda c, s: (_other_uid(c), s), id="another-cluster"),
        pytest.param(lambda c, s: (c, replace(s, disks={**s.disks, 3: EMPTY})), id="one-more"),
    ],
)
def test_another_loss_has_another_name(other: Any) -> None:
    first, then = (known(), seen(TWO_LOST)), other(known(), seen(TWO_LOST))
    names = {incident_id(c, s, losses_of(c, s)) for c, s in (first, then)}
    assert len(names) == 2


def _other_claim(found: Seen) -> tuple[SeenClaim, ...]:
    return (SeenClaim("data-zk-0", "another-uid", is_deleting=False), *found.claims[1:])


def _other_uid(before: ZooKeeperCluster) -> ZooKeeperCluster:
    metadata = before.metadata.model_copy(update={"uid": "another"})
    return before.model_copy(update={"metadata": metadata})


@pytest.mark.parametrize(
    ("disks", "modes", "stays"),
    [
        pytest.param({1: EMPTY, 2: data(), 3: data()}, {}, False, id="a-disk-came-back"),
        pytest.param({}, {2: "leader", 3: "follower"}, False, id="a-majority-serves"),
        pytest.param({1: EMPTY, 2: UNKNOWN, 3: data()}, {}, True, id="one-is-not-to-be-seen"),
        pytest.param({1: EMPTY, 2: UNKNOWN, 3: UNKNOWN}, {}, True, id="two-are-not-to-be-seen"),
    ],
)
def test_an_incident_ends_when_the_disks_are_seen_again(
    disks: Disks, modes: dict[int, str], stays: bool
) -> None:
    before, _ = lost(TWO_LOST)
    plan = plan_scale(before, seen(disks, modes), NOW)
    assert ("incident" in status(plan)) == stays
    assert (condition(plan, "Scaled")[1] == "MajorityLost") == stays
    assert told(plan) == []


def test_nothing_is_done_before_a_person_decides() -> None:
    before, found = lost(TWO_LOST)
    assert carried_out(before, found)[1] == ()


def test_a_decision_about_another_incident_has_no_effect() -> None:
    before, found = lost(TWO_LOST)
    asked = decided(before, "zk-2", "another")
    then, plan = carried_out(asked, found)
    assert plan == ()
    assert then.status.recovery is None
    assert then.status.operation is None
    assert "quotes another incident (another)" in scaled(then)


def test_a_decision_made_before_the_incident_was_shown_waits_for_it() -> None:
    """Whoever guesses the name has not read what is lost."""
    first, found = known(), seen(TWO_LOST)
    name = incident_id(first, found, losses_of(first, found))
    plan = plan_scale(decided(first, "zk-2", name), found, NOW)
    assert condition(plan, "Scaled") == ("False", "MajorityLost")


def scaled(before: ZooKeeperCluster) -> str:
    return next(c.message for c in before.status.conditions if c.type == "Scaled")


def test_a_decision_is_recorded_before_any_pod_is_touched_and_then_carried_out() -> None:
    before, found = lost(TWO_LOST)
    asked = decided(before, "zk-2")
    plan = plan_scale(asked, found, NOW)
    assert kinds(plan) == [WriteStatus, LookAgain]
    assert condition(plan, "Scaled") == ("False", "Recovering")
    asked = after(asked, plan)
    plan = plan_scale(asked, found, NOW)
    assert status(plan)["operation"]["type"] == "Recover"
    asked = after(asked, plan)
    plan = plan_scale(asked, found, NOW)
    assert told(plan) == ["Recovering"]
    assert status(plan)["recovery"] == {
        "incident": before.status.incident,
        "continueFrom": "zk-2",
        "volumes": [
            {"name": "data-zk-0", "uid": "uid-of-data-zk-0", "replaces": "uid-of-zk-0"},
        ],
    }
    plan = plan_scale(after(asked, plan), found, NOW)
    assert [(step.ref.name, step.uid) for step in plan if isinstance(step, DeleteObject)] == [
        ("zk-0", "uid-of-zk-0")
    ]


def under_way(**more: Any) -> tuple[ZooKeeperCluster, Seen]:
    """Return a cluster whose recovery is recorded, and zk-0's new pod as seen."""
    before, found = lost(TWO_LOST, **more)
    then, _ = carried_out(decided(before, "zk-2"), found)
    return then, replace(found, pods=(replace(found.pods[0], uid="new"), *found.pods[1:]))


def test_only_the_pod_that_was_recorded_is_deleted_and_the_lock_is_given_back() -> None:
    before, found = under_way()
    plan = plan_scale(before, found, NOW)
    assert DeleteObject not in kinds(plan)
    assert "operation" not in status(plan)
    after_it = before.model_copy(
        update={"status": before.status.model_copy(update={"operation": None})}
    )
    assert plan_scale(after_it, found, NOW) == ()


def test_a_pod_that_is_on_its_way_out_is_not_deleted_again() -> None:
    before, found = under_way()
    ending = (replace(pod("zk-0"), is_deleting=True), *found.pods[1:])
    assert plan_scale(before, replace(found, pods=ending), NOW) == ()


def test_a_recovery_is_over_once_a_majority_serves() -> None:
    before, found = under_way()
    modes = {3: stats("leader"), 1: stats("follower")}
    found = replace(found, servers=replace(found.servers, stats=modes), disks={})
    plan = plan_scale(before, found, NOW)
    assert told(plan) == ["Recovered"]
    assert {"incident", "recovery"}.isdisjoint(status(plan))


def test_a_recovery_goes_on_whatever_the_spec_says_by_then() -> None:
    """A marker may be placed already: withdrawing the decision cannot take it back."""
    before, found = under_way()
    withdrawn = before.model_copy(
        update={"spec": before.spec.model_copy(update={"recovery": None})}
    )
    then, _ = carried_out(withdrawn, found)
    assert then.status.recovery == before.status.recovery


def test_a_let_in_volume_that_is_lost_again_is_another_incident() -> None:
    before, found = under_way()
    again = replace(found, claims=_other_claim(found))
    plan = plan_scale(before, again, NOW)
    assert condition(plan, "Scaled") == ("False", "MajorityLost")
    assert status(plan)["incident"] != before.status.incident
    then, plan = carried_out(after(before, plan), again)
    assert DeleteObject not in kinds(plan)
    assert then.status.recovery == before.status.recovery


def test_a_second_decision_keeps_what_may_vote_and_lets_in_only_what_lacks() -> None:
    """Five voters, two with data: one is let in. Then one of the two is lost as well."""
    five = {n: replace(EMPTY, voters=data(size=5).voters) for n in (1, 2, 3)}
    disks = {**five, 4: data(size=5), 5: data(size=5)}
    before, found = lost(disks, size=5)
    then, _ = carried_out(decided(before, "zk-4"), found)
    assert [v.name for v in _volumes(then)] == ["data-zk-0"]
    found = replace(found, disks={**disks, 4: EMPTY})
    then, _ = carried_out(then, found)
    assert then.status.incident != before.status.incident
    then, _ = carried_out(decided(then, "zk-4"), found)
    assert [v.name for v in _volumes(then)] == ["data-zk-0", "data-zk-1"]


def _volumes(before: ZooKeeperCluster) -> Any:
    assert before.status.recovery is not None
    return before.status.recovery.volumes


def test_the_volume_of_ephemeral_storage_is_recorded_once_its_new_pod_is_there() -> None:
    before, found = under_way(storage={"ephemeral": True})
    assert [(v.name, v.uid, v.replaces) for v in _volumes(before)] == [
        ("zk-0", None, "uid-of-zk-0")
    ]
    plan = plan_scale(before, found, NOW)
    assert status(plan)["recovery"]["volumes"][0]["uid"] == "new"
    then = after(before, plan)
    newer = replace(found, pods=(replace(found.pods[0], uid="newer"), *found.pods[1:]))
    then, _ = carried_out(then, newer)
    assert _volumes(then)[0].uid == "new"


@pytest.mark.parametrize(
    ("disks", "continue_from", "part"),
    [
        pytest.param(TWO_LOST, "zk-0", "zk-0 is no voter that holds data", id="an-empty-one"),
        pytest.param(TWO_LOST, "zk-9", "zk-9 is no voter that holds data", id="no-server"),
        pytest.param(
            {1: EMPTY, 2: EMPTY, 3: EMPTY, 4: data(EARLIER, 5), 5: data(LATER, 5)},
            "zk-3",
            "zk-4 holds newer data than zk-3",
            id="an-older-one",
        ),
        pytest.param(
            {1: EMPTY, 2: EMPTY, 3: EMPTY, 4: data(LATER, 5), 5: data(EARLIER, 5, epoch=3)},
            "zk-3",
            "zk-4 holds newer data than zk-3",
            id="the-epoch-is-compared-first",
        ),
        pytest.param(
            {1: EMPTY, 2: EMPTY, 3: EMPTY, 4: UNKNOWN, 5: data(LATER, 5)},
            "zk-4",
            "zk-3 may hold newer data",
            id="one-is-unknown",
        ),
        pytest.param(
            {1: EMPTY, 2: EMPTY, 3: EMPTY, 4: UNREADABLE, 5: data(LATER, 5)},
            "zk-4",
            "zk-3 may hold newer data",
            id="one-cannot-be-read",
        ),
        pytest.param(
            {**TWO_LOST, 4: data(LATER + 1)}, "zk-2", "zk-3 holds newer data and has no vote",
            id="an-observer-has-more",
        ),
        pytest.param(
            {1: EMPTY, 2: EMPTY, 3: data(size=4)}, "zk-2",
            "zk-2's own member list has the voters 1, 2, 3, 4", id="another-member-list",
        ),
    ],
)  # fmt: skip
def test_a_decision_that_could_lose_more_is_refused_with_a_sentence(
    disks: Disks, continue_from: str, part: str
) -> None:
    before, found = lost(disks, size=5 if 5 in disks else 3)
    then, plan = carried_out(decided(before, continue_from), found)
    assert plan == ()
    assert (then.status.recovery, then.status.operation) == (None, None)
    assert [c.reason for c in then.status.conditions if c.type == "Scaled"] == ["RecoveryRefused"]
    assert part in scaled(then)


def test_another_movers_step_is_waited_for() -> None:
    held = {"operation": {"type": "Roll", "step": "ReplacePod", "target": "zk-1"}}
    before, found = lost(TWO_LOST, extra=held)
    then, plan = carried_out(decided(before, "zk-2"), found)
    assert plan == ()
    assert then.status.recovery is None


def test_a_paused_cluster_is_not_recovered_and_keeps_its_incident() -> None:
    before, found = lost(TWO_LOST)
    asked = decided(before, "zk-2")
    paused = asked.model_copy(update={"spec": asked.spec.model_copy(update={"paused": True})})
    then, _ = carried_out(paused, found)
    assert then.status.incident == before.status.incident
    assert then.status.recovery is None


# Empty ones and those with data are what most decisions are about.
_disks = st.sampled_from([*[EMPTY, data(EARLIER, 5), EMPTY, data(LATER, 5)] * 4, LET_IN, UNKNOWN])
_lives = st.lists(st.lists(_disks, min_size=5, max_size=5), min_size=1, max_size=4)


@given(_lives, st.lists(st.sets(st.integers(1, 5)), min_size=4))
def test_all_that_may_vote_are_never_more_than_a_quorum_and_one_of_them_has_data(
    lives: list[list[DiskReport | None]], replaced: list[set[int]]
) -> None:
    """Whatever is lost and in whatever order, with every decision accepted as it can be."""
    before = known(5)
    for disks, volumes in zip(lives, replaced, strict=False):
        found = seen(dict(enumerate(disks, start=1)), size=5)
        found = replace(found, claims=_replaced(found.claims, volumes))
        before, _ = carried_out(before, found)
        if before.status.incident is None:
            continue
        recorded = before.status.recovery
        before, _ = carried_out(decided(before, _newest(before, found)), found)
        if before.status.recovery in (None, recorded):
            continue
        _check_that_data_wins(before, found)


def _newest(before: ZooKeeperCluster, found: Seen) -> str:
    holders = losses_of(before, found).holders
    return f"zk-{max(holders, key=lambda n: holders[n].zxid or 0, default=1) - 1}"


def _replaced(found: tuple[SeenClaim, ...], numbers: set[int]) -> tuple[SeenClaim, ...]:
    return tuple(
        replace(c, uid=f"{c.uid}-again") if n in numbers else c
        for n, c in enumerate(found, start=1)
    )


def _check_that_data_wins(before: ZooKeeperCluster, found: Seen) -> None:
    event("a decision was carried out")
    losses = losses_of(before, found)
    assert not losses.unknown, "a server that may hold newer data was passed over"
    let_in = {v.uid for v in _volumes(before)}
    present = {n: claim.uid for n, claim in enumerate(found.claims, start=1)}
    may_vote = {n for n in present if n not in losses.empty or present[n] in let_in}
    assert len(may_vote) <= quorum(5)
    assert losses.holders
