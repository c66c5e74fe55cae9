"""The slices of a cluster's status, on the real API server and its twin."""

from __future__ import annotations

import pytest

from functions.api.errors import Conflict, FieldConflict
from functions.api.kinds import (
    CLUSTER,
    CONFIG_MAP,
)
from tests.contract.sides import (
    Side,
    cluster,
    condition,
    config_map,
    made,
    now,
    ref,
    with_status,
)

pytestmark = pytest.mark.contract


def test_two_managers_keep_their_own_conditions(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    with_status(side, "observe", conditions=[condition("Available")])
    both = with_status(side, "scale", conditions=[condition("Scaled")])
    assert {c["type"] for c in both["status"]["conditions"]} == {"Available", "Scaled"}
    changed = with_status(side, "observe", conditions=[condition("Available", "False")])
    assert {c["type"]: c["status"] for c in changed["status"]["conditions"]} == {
        "Available": "False",
        "Scaled": "True",
    }
    left = with_status(side, "observe", leader="zoo-0")
    assert [c["type"] for c in left["status"]["conditions"]] == ["Scaled"]


def test_a_foreign_condition_is_a_conflict(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    with_status(side, "observe", conditions=[condition("Available")])
    with pytest.raises(FieldConflict) as caught:
        with_status(side, "scale", conditions=[condition("Available", "False")])
    assert caught.value.managers == {"observe"}


def test_servers_are_told_apart_by_name(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    with_status(side, "observe", servers=[{"name": "zoo-0", "mode": "leader"}, {"name": "zoo-1"}])
    last = with_status(side, "observe", servers=[{"name": "zoo-1", "mode": "leader"}])
    assert [(s["name"], s["mode"]) for s in last["status"]["servers"]] == [("zoo-1", "leader")]


def test_the_operation_is_one_piece(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    with_status(side, "mover", operation={"type": "Scale", "target": "to 5", "serverId": 4})
    taken = with_status(side, "mover", operation={"type": "Roll", "podUid": "7"})
    assert "serverId" not in taken["status"]["operation"]
    with pytest.raises(FieldConflict) as caught:
        with_status(side, "other", operation={"type": "Scale"})
    assert caught.value.managers == {"mover"}
    assert "operation" not in with_status(side, "mover").get("status", {})


def test_the_last_manager_can_empty_the_status(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    with_status(side, "mover", operation={"type": "Scale"})
    assert "status" not in with_status(side, "mover")


def test_dropping_a_slice_of_status_erases_what_was_in_it(side: Side) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    bootstrap = {"state": "open", "members": [{"id": 1, "name": "zoo-0"}]}
    with_status(side, "scale", bootstrap=bootstrap, operation={"type": "Scale"})
    only = with_status(side, "scale", operation={"type": "Scale"})
    assert "bootstrap" not in only["status"]


def test_status_and_spec_are_written_apart(side: Side) -> None:
    made = side.kube.apply(
        cluster(side, spec={"replicas": 3}, status={"leader": "zoo-0"}), manager="user"
    )
    assert "leader" not in made.get("status", {})
    told = side.kube.apply(
        cluster(side, spec={"replicas": 5}, status={"leader": "zoo-1"}),
        manager="observe",
        subresource="status",
    )
    assert told["status"]["leader"] == "zoo-1"
    assert told["spec"]["replicas"] == 3
    kept = side.kube.apply(cluster(side, spec={"replicas": 5}), manager="user")
    assert kept["status"]["leader"] == "zoo-1"
    assert kept["spec"]["replicas"] == 5


def test_the_generation_follows_the_spec_only(side: Side) -> None:
    def generation() -> int:
        return int(now(side, CLUSTER, "zoo")["metadata"]["generation"])

    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    assert generation() == 1
    with_status(side, "observe", leader="zoo-0")
    side.kube.apply(
        cluster(side, spec={"replicas": 3}, metadata={"labels": {"a": "b"}}), manager="user"
    )
    assert generation() == 1
    side.kube.apply(cluster(side, spec={"replicas": 5}), manager="user")
    assert generation() == 2


def test_status_of_a_missing_object_is_a_conflict(side: Side) -> None:
    with pytest.raises(Conflict):
        with_status(side, "observe", leader="zoo-0")


def test_an_apply_with_preconditions_never_re_creates(side: Side) -> None:
    first = side.kube.apply(config_map(side, a="1"), manager="one")["metadata"]
    side.kube.delete(ref(side, CONFIG_MAP, "it"), uid=first["uid"])
    for precondition in (
        {"uid": first["uid"]},
        {"uid": first["uid"], "resourceVersion": first["resourceVersion"]},
    ):
        with pytest.raises(Conflict):
            side.kube.apply(made(side, CONFIG_MAP, "it", metadata=precondition), manager="one")
    assert side.kube.get(ref(side, CONFIG_MAP, "it")) is None


@pytest.mark.parametrize(
    ("applied", "orders"),
    [
        (
            ("one AB", "two CD", "one BA", "one BXA", "two DC", "two EDC"),
            ("AB", "ABCD", "BCDA", "BCDXA", "BDXAC", "BEDXAC"),
        ),
        (
            ("one AB", "two BA", "two XBYAZ", "one A", "one WA"),
            ("AB", "BA", "XBYAZ", "XBYAZ", "XBYWAZ"),
        ),
        (
            ("two A", "one X", "one XA", "one AX", "two AQ", "three ZA"),
            ("A", "AX", "XA", "AX", "AXQ", "ZAXQ"),
        ),
        (
            ("one ABC", "one ADBC", "two KB", "one CBA", "one B"),
            ("ABC", "ADBC", "ADKBC", "KCBA", "KB"),
        ),
    ],
    ids=["apart", "shared", "late", "dropped"],
)
def test_entries_of_several_managers_have_one_order(
    side: Side, applied: tuple[str, ...], orders: tuple[str, ...]
) -> None:
    side.kube.apply(cluster(side, spec={"replicas": 3}), manager="user")
    for step, order in zip(applied, orders, strict=True):
        manager, types = step.split()
        told = with_status(side, manager, conditions=[condition(type_) for type_ in types])
        assert "".join(entry["type"] for entry in told["status"]["conditions"]) == order
