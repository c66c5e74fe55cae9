"""What is read out of Kubernetes' objects, and when an object still is as its builder wants it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.planning.drift import has_just_our_ports, is_as_wanted
from functions.planning.preparation import (
    Disk,
    Found,
    Join,
    Record,
    RecordState,
    StartAsIs,
    Wait,
    plan_preparation,
)
from functions.planning.seen import controller_uid, seen_claim, seen_pod, seen_stateful_set


def _pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "zk-0", "uid": "u"}, "status": status}


def _container(**state: Any) -> dict[str, Any]:
    return {"name": "zookeeper", "state": state}


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        pytest.param({}, "", id="nothing-known"),
        pytest.param(
            {"containerStatuses": [_container(waiting={"reason": "ContainerCreating"})]},
            "", id="being-made",
        ),
        pytest.param(
            {"initContainerStatuses": [_container(waiting={"reason": "PodInitializing"})]},
            "", id="waiting-for-the-preparation",
        ),
        pytest.param(
            {"containerStatuses": [
                _container(waiting={"reason": "ImagePullBackOff", "message": "no\nimage "})]},
            "zookeeper ImagePullBackOff: no image", id="image",
        ),
        pytest.param(
            {"containerStatuses": [_container(terminated={"exitCode": 1, "reason": "Error"})]},
            "zookeeper ended with exit code 1 (Error)", id="failed",
        ),
        pytest.param(
            {"containerStatuses": [_container(terminated={"exitCode": 0})]}, "", id="ended-well",
        ),
        pytest.param(
            {"containerStatuses": [_container(terminated={"exitCode": 137})]},
            "zookeeper ended with exit code 137", id="killed-without-a-reason",
        ),
        pytest.param(
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}]},
            "Unschedulable: 0/3 nodes", id="unschedulable",
        ),
        pytest.param(
            {"conditions": [{"type": "PodScheduled", "status": "True"}]}, "", id="scheduled",
        ),
    ],
)  # fmt: skip
def test_the_trouble_of_a_pod_is_what_a_person_would_look_for(
    status: dict[str, Any], trouble: str
) -> None:
    """Guards against G23: one failed pod that ends the reading of all."""
    assert seen_pod(_pod(**status)).trouble == trouble


def test_a_pod_is_ready_only_when_kubernetes_says_so() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "podIP": "10.0.0.1"}
    seen = seen_pod(_pod(**ready))
    assert (seen.is_ready, seen.address, seen.is_deleting) == (True, "10.0.0.1", False)
    assert not seen_pod(_pod(conditions=[{"type": "Ready", "status": "False"}])).is_ready
    assert not seen_pod(_pod()).is_ready


def test_what_is_being_deleted_is_seen_as_such() -> None:
    metadata = {"name": "a", "uid": "u", "resourceVersion": "1", "deletionTimestamp": "t"}
    assert seen_pod({"metadata": metadata}).is_deleting
    assert seen_claim({"metadata": metadata}).is_deleting
    assert seen_stateful_set({"metadata": metadata, "spec": {}}).is_deleting


def test_a_pod_that_is_being_stopped_is_in_no_trouble() -> None:
    ended = _container(terminated={"exitCode": 143, "reason": "Error"})
    pod = _pod(containerStatuses=[ended])
    assert seen_pod(pod).trouble
    pod["metadata"]["deletionTimestamp"] = "t"
    assert seen_pod(pod).trouble == ""


def test_counts_of_a_stateful_set_are_trusted_only_for_its_generation() -> None:
    """Guards against G11: numbers of a revision that is not the present one."""
    metadata = {"name": "a", "uid": "u", "resourceVersion": "1", "generation": 2}
    old = {"metadata": metadata, "spec": {"replicas": 3}, "status": {"observedGeneration": 1}}
    assert not seen_stateful_set(old).is_observed
    assert seen_stateful_set({**old, "status": {"observedGeneration": 2}}).is_observed


def test_replicas_that_are_not_given_are_one() -> None:
    """Guards against G6: a missing number that is dereferenced."""
    metadata = {"name": "a", "uid": "u", "resourceVersion": "1"}
    assert seen_stateful_set({"metadata": metadata, "spec": {}}).replicas == 1


@pytest.mark.parametrize(
    ("owners", "uid"),
    [
        ([], ""),
        ([{"uid": "a"}], ""),
        ([{"uid": "a", "controller": False}, {"uid": "b", "controller": True}], "b"),
    ],
)
def test_the_controller_is_the_one_owner_that_says_so(owners: list[Any], uid: str) -> None:
    assert controller_uid({"metadata": {"ownerReferences": owners}}) == uid


@pytest.mark.parametrize(
    ("wanted", "seen", "is_wanted"),
    [
        pytest.param({"a": 1}, {"a": 1, "b": 2}, True, id="more-is-somebody-elses"),
        pytest.param({"a": 1}, {"a": 2}, False, id="another-value"),
        pytest.param({"a": 1}, {}, False, id="missing"),
        pytest.param({"a": {}}, {}, True, id="empty-objects-are-not-stored"),
        pytest.param({"a": 0}, {}, True, id="zeros-are-not-stored"),
        pytest.param({"a": {"b": 1}}, {"a": "text"}, False, id="another-type"),
        pytest.param({"a": [1]}, {"a": "text"}, False, id="no-list"),
        pytest.param("1000m", "1", True, id="the-same-amount"),
        pytest.param("1000m", "2", False, id="another-amount"),
        pytest.param("text", "other", False, id="texts-that-are-no-amounts"),
        pytest.param([1, 2], [1, 2], True, id="the-same-values"),
        pytest.param([1, 2], [1, 2, 3], False, id="values-are-one-piece"),
        pytest.param([{"name": "a", "x": 1}], [{"name": "b"}, {"name": "a", "x": 1}], True,
                     id="entries-by-name"),
        pytest.param([{"name": "a", "x": 1}], [{"name": "a", "x": 2}], False, id="entry-edited"),
        pytest.param([{"name": "a"}], [{"name": "b"}], False, id="entry-missing"),
        pytest.param([{"key": "a"}], [{"key": "a", "default": 1}], True, id="entries-in-order"),
        pytest.param([], [], True, id="no-entries"),
    ],
)  # fmt: skip
def test_an_object_is_as_wanted_when_all_that_is_asked_for_is_there(
    wanted: Any, seen: Any, is_wanted: bool
) -> None:
    """Guards against C18 and C25: defaults of the API server taken for differences."""
    assert is_as_wanted(wanted, seen) == is_wanted


_json = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "1", "1000m"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), _json))
def test_what_others_add_beside_it_never_counts_as_a_difference(wanted: dict[str, Any]) -> None:
    assert is_as_wanted(wanted, {**wanted, "added by others": 1})


def _service(*ports: tuple[int, str]) -> dict[str, Any]:
    return {
        "spec": {"ports": [{"port": port, "name": name, "protocol": "TCP"} for port, name in ports]}
    }


@pytest.mark.parametrize(
    ("seen", "is_so"),
    [
        (_service((1, "a"), (2, "b")), True),
        (_service((1, "a")), False),
        (_service((1, "a"), (2, "b"), (3, "c")), False),
        (_service((1, "a"), (3, "b")), False),
        ({"spec": {}}, False),
    ],
)
def test_a_service_has_our_ports_and_no_other(seen: dict[str, Any], is_so: bool) -> None:
    assert has_just_our_ports(_service((1, "a"), (2, "b")), seen) == is_so


ROLES = {1: "participant", 2: "participant", 3: "participant"}
MINE = ("data-zk-1", "uid")


@pytest.mark.parametrize(
    ("disk", "known", "decided"),
    [
        pytest.param(Disk(False, {2: "x"}), None, StartAsIs(), id="data-and-its-own-list"),
        pytest.param(Disk(False, {}), Record(RecordState.OPEN, ROLES, {}), Join(ROLES),
                     id="data-without-a-list"),
        pytest.param(Disk(True, {2: "x"}), Record(RecordState.COMPLETED, ROLES, dict([MINE])),
                     Join(ROLES), id="empty-after-the-creation"),
        pytest.param(Disk(True, {}), Record(RecordState.ADOPTED, ROLES, dict([MINE])),
                     Join(ROLES), id="empty-and-adopted"),
        pytest.param(Disk(True, {}), Record(RecordState.OPEN, ROLES, dict([MINE])), Found(ROLES),
                     id="empty-and-recorded"),
        pytest.param(Disk(True, {}), Record(RecordState.COMPLETED, {1: "participant"}, {}),
                     Join({1: "participant", 2: "observer"}), id="a-joiner-does-not-vote"),
        pytest.param(Disk(False, {1: "x"}), Record(RecordState.COMPLETED, ROLES, {}, version=9),
                     Join(ROLES, 9), id="a-member-takes-the-recorded-list-for-what-it-is"),
        pytest.param(Disk(False, {1: "x"}),
                     Record(RecordState.COMPLETED, {1: "participant"}, {}, version=9),
                     Join({1: "participant", 2: "observer"}, 8), id="data-follows-no-older-list"),
        pytest.param(Disk(False, {2: "x"}),
                     Record(RecordState.COMPLETED, {1: "participant"}, {}, version=9),
                     Join({1: "participant", 2: "observer"}, 8), id="its-own-list-is-an-old-one"),
    ],
)  # fmt: skip
def test_a_servers_preparation_follows_its_disk_and_the_record(
    disk: Disk, known: Record | None, decided: object
) -> None:
    """Guards against C5, C6 and C7."""
    assert plan_preparation(2, disk, known, MINE) == decided


@given(
    st.integers(1, 5),
    st.booleans(),
    st.dictionaries(st.integers(1, 5), st.just("x")),
    st.none()
    | st.builds(
        Record,
        st.sampled_from(RecordState),
        st.just(ROLES),
        st.dictionaries(st.sampled_from(["data-zk-0", "data-zk-1"]), st.sampled_from("ab")),
    ),
    st.tuples(st.sampled_from(["data-zk-0", "data-zk-1"]), st.sampled_from("ab")),
)
def test_only_a_recorded_empty_disk_of_an_open_creation_votes(
    number: int, is_empty: bool, members: dict[int, str], known: Record | None, own: Any
) -> None:
    decided = plan_preparation(number, Disk(is_empty, members), known, own)
    if isinstance(decided, Found):
        assert is_empty
        assert known is not None
        assert known.state is RecordState.OPEN
        assert known.volumes[own[0]] == own[1]
    if isinstance(decided, Wait):
        assert decided.reason
    if not is_empty and number in members:
        is_out = known is not None and bool(known.roles) and number not in known.roles
        assert isinstance(decided, Join if is_out else StartAsIs)
