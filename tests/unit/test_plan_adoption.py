"""Volumes that were there before the cluster: whether they make one ensemble, and what is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from functions.planning.ensemble import DiskReport, Member
from functions.planning.sizing import plan_scale
from tests.unit.planned import NOW, condition, message, status, told
from tests.unit.test_plan_recovery import EMPTY, LATER, LET_IN, UNKNOWN, carried_out, known, seen


def listing(*ids: int, zxid: int = LATER, observers: tuple[int, ...] = ()) -> DiskReport:
    """Return a disk with data whose own member list names these voters."""
    voters = frozenset(ids)
    return DiskReport(False, zxid, zxid >> 32, voters | set(observers), voters)


ALL = listing(1, 2, 3)
Disks = Mapping[int, DiskReport | None]


@pytest.mark.parametrize(
    ("disks", "size", "reason"),
    [
        pytest.param({1: ALL, 2: ALL, 3: ALL}, 3, "NoQuorum", id="they-match-and-start"),
        pytest.param({1: ALL, 2: ALL, 3: EMPTY}, 3, "NoQuorum", id="one-is-empty"),
        pytest.param({1: ALL, 2: UNKNOWN, 3: UNKNOWN}, 3, "NoQuorum", id="two-are-yet-to-start"),
        pytest.param({1: ALL, 2: ALL, 3: listing(1, 2)}, 3, "NoQuorum", id="one-has-an-old-list"),
        pytest.param(
            {1: ALL, 2: ALL, 3: ALL, 4: ALL, 5: EMPTY}, 5, "NoQuorum", id="more-volumes-than-listed"
        ),
        pytest.param({1: EMPTY, 2: ALL, 3: EMPTY}, 3, "MajorityLost", id="two-are-empty"),
        pytest.param({1: LET_IN, 2: ALL, 3: EMPTY}, 3, "NoQuorum", id="one-was-let-in"),
        pytest.param({1: EMPTY, 2: EMPTY, 3: EMPTY}, 3, "MajorityLost", id="all-are-empty"),
        pytest.param({1: ALL}, 1, "VolumesDoNotMatch", id="the-others-have-no-volumes"),
        pytest.param(
            {1: listing(4, 5, 6), 2: listing(4, 5, 6), 3: EMPTY}, 3, "VolumesDoNotMatch",
            id="other-ids",
        ),
        pytest.param(
            {1: listing(1, 2), 2: listing(2, 3), 3: EMPTY}, 3, "VolumesDoNotMatch",
            id="lists-that-disagree",
        ),
        pytest.param(
            {1: EMPTY, 2: EMPTY, 3: EMPTY, 4: listing(1, 2, 3, 4, 5, 6), 5: EMPTY}, 5,
            "VolumesDoNotMatch", id="empty-volumes-and-more-servers-than-volumes",
        ),
        pytest.param(
            {1: EMPTY, 2: EMPTY, 3: listing(1, 2, 3, observers=(4, 5)), 4: EMPTY, 5: EMPTY}, 5,
            "VolumesDoNotMatch", id="observers-that-nobody-recorded-as-such",
        ),
    ],
)  # fmt: skip
def test_what_was_there_before_makes_one_ensemble_or_is_refused(
    disks: Disks, size: int, reason: str
) -> None:
    plan = plan_scale(known(size, state="adopted"), seen(disks, size=size), NOW)
    assert condition(plan, "Scaled") == ("False", reason)
    assert told(plan) == ([] if reason == "NoQuorum" else [reason])
    assert ("incident" in status(plan)) == (reason == "MajorityLost")


def test_a_mismatch_says_which_server_holds_what() -> None:
    disks = {1: listing(1, 2), 2: listing(2, 3, 4, zxid=LATER + 1), 3: EMPTY}
    said = message(plan_scale(known(state="adopted"), seen(disks), NOW), "Scaled")
    assert "The newest data is of the servers 2, 3, 4" in said
    assert "zk-0 holds data up to 0x200000005 and a list of the servers 1, 2;" in said
    assert "zk-1 holds data up to 0x200000006 and a list of the servers 2, 3, 4;" in said
    assert "zk-2 is empty." in said


@pytest.mark.parametrize(
    ("address", "is_told"),
    [
        pytest.param("zk-0.zk.apps.svc.cluster.local:2888:3888;0.0.0.0:2181", False, id="as-now"),
        pytest.param("zk-0.zk.apps.svc.cluster.local:2889:3888;0.0.0.0:2181", True, id="a-port"),
        pytest.param("zk-0.zk.old.svc.cluster.local:2888:3888;0.0.0.0:2181", True, id="a-name"),
    ],
)
def test_a_server_that_has_another_address_in_its_own_list_is_told(
    address: str, is_told: bool
) -> None:
    old = replace(ALL, lines=(Member(1, address, "participant"),))
    disks = {1: old, 2: ALL, 3: ALL}
    plan = plan_scale(known(state="adopted"), seen(disks), NOW)
    reason = "VolumesDoNotMatch" if is_told else "NoQuorum"
    assert condition(plan, "Scaled") == ("False", reason)
    assert (f"zk-0 is {address} in its own member list" in message(plan, "Scaled")) == is_told


def test_a_mismatch_is_told_once() -> None:
    before = known(1, state="adopted")
    then, plan = carried_out(before, seen({1: ALL}, size=1))
    assert plan == ()
    assert plan_scale(then, seen({1: ALL}, size=1), NOW) == ()


def test_a_cluster_that_was_created_here_is_not_judged_by_its_lists() -> None:
    """In the middle of a change of members the lists on disk may differ for a moment."""
    disks = {1: listing(1, 2), 2: listing(1, 2, 3), 3: UNKNOWN}
    assert condition(plan_scale(known(), seen(disks), NOW), "Scaled") == ("False", "NoQuorum")
