"""The first creation: record first, then volumes and their uids, then servers, then the quorum."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.planning.ensemble import SeenServers, ServerStats
from functions.planning.scale_slice import Seen
from functions.planning.seen import SeenClaim, SeenPod, SeenStatefulSet
from functions.planning.sizing import plan_scale
from functions.planning.steps import ApplyObject, CreateObject, WriteStatus
from tests.unit.planned import (
    NOW,
    after,
    changed,
    claim,
    claims,
    cluster,
    condition,
    kinds,
    pod,
    record,
    stateful_set,
    stats,
    status,
    told,
)


def _seen(
    found: SeenStatefulSet | None = None,
    volumes: tuple[SeenClaim, ...] = (),
    pods: tuple[SeenPod, ...] = (),
    modes: tuple[ServerStats, ...] = (),
) -> Seen:
    numbered = dict(enumerate(modes, start=1))
    servers = SeenServers(numbered, {number: f"10.0.0.{number}" for number in numbered}, None)
    return Seen(found, volumes, pods, servers, None)


def test_the_record_comes_before_anything_else() -> None:
    plan = plan_scale(cluster(), _seen(), NOW)
    assert told(plan) == ["CreationStarted"]
    assert status(plan)["bootstrap"] == {**record("open"), "volumes": []}
    assert "members" not in status(plan)
    assert condition(plan, "Scaled") == ("False", "Creating")


@pytest.mark.parametrize(
    ("seen", "size"),
    [
        pytest.param(_seen(stateful_set(2)), 2, id="a-stateful-set-with-servers"),
        pytest.param(_seen(volumes=(claim("data-zk-4"),)), 5, id="a-volume"),
        pytest.param(_seen(volumes=(claim("datalog-zk-1"),)), 2, id="a-log-volume"),
        pytest.param(_seen(pods=(pod("zk-0"),)), 1, id="a-pod"),
    ],
)
def test_what_was_there_before_is_adopted_and_may_never_start_empty(seen: Seen, size: int) -> None:
    """Guards against C6: a lost record that lets disks vote again."""
    plan = plan_scale(cluster(), seen, NOW)
    assert told(plan)[0] == "Adopted"
    assert status(plan)["bootstrap"] == {**record("adopted", size), "volumes": []}
    assert len(status(plan)["members"]) == size


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(_seen(stateful_set(0)), id="a-stateful-set-without-servers"),
        pytest.param(_seen(volumes=(claim("data-other-4"),)), id="a-volume-of-another"),
    ],
)
def test_what_never_ran_is_not_adopted(seen: Seen) -> None:
    assert status(plan_scale(cluster(), seen, NOW))["bootstrap"]["state"] == "open"


def test_volumes_are_made_only_once_the_cluster_has_its_finalizer() -> None:
    new = changed(cluster({"bootstrap": record()}), finalizers=())
    assert kinds(plan_scale(new, _seen(), NOW)) == [WriteStatus]
    assert plan_scale(after(new, plan_scale(new, _seen(), NOW)), _seen(), NOW) == ()


def test_only_missing_volumes_are_made() -> None:
    plan = plan_scale(cluster({"bootstrap": record()}), _seen(volumes=claims(1)), NOW)
    assert kinds(plan) == [CreateObject, CreateObject]


def test_volumes_are_recorded_before_servers_start() -> None:
    seen = _seen(stateful_set(0), claims())
    plan = plan_scale(cluster({"bootstrap": record()}), seen, NOW)
    assert kinds(plan) == [WriteStatus]
    assert status(plan)["bootstrap"] == record(volumes=3)


def test_a_volume_that_is_being_deleted_is_not_recorded() -> None:
    seen = _seen(volumes=(claim("data-zk-0", is_deleting=True), *claims()[1:]))
    recorded = status(plan_scale(cluster({"bootstrap": record()}), seen, NOW))["bootstrap"]
    assert [volume["name"] for volume in recorded["volumes"]] == ["data-zk-1", "data-zk-2"]


def test_a_volume_that_took_anothers_place_keeps_the_first_uid_on_record() -> None:
    """Guards against C6: a replaced disk that votes."""
    first = {"bootstrap": record(volumes=3)}
    replaced = (SeenClaim("data-zk-0", "another-uid", is_deleting=False), *claims()[1:])
    plan = plan_scale(cluster(first), _seen(stateful_set(), replaced), NOW)
    assert status(plan)["bootstrap"] == record(volumes=3)


def test_the_volumes_of_ephemeral_storage_are_its_pods() -> None:
    new = cluster({"bootstrap": record(size=1)}, replicas=1, storage={"ephemeral": True})
    recorded = status(plan_scale(new, _seen(stateful_set(1), pods=(pod("zk-0"),)), NOW))
    assert recorded["bootstrap"]["volumes"] == [{"name": "zk-0", "uid": "uid-of-zk-0"}]


@pytest.mark.parametrize(
    ("modes", "state"),
    [
        pytest.param(("leader", "follower"), "completed", id="a-majority-with-a-leader"),
        pytest.param(("leader",), "open", id="a-leader-alone"),
        pytest.param(("follower", "follower"), "open", id="nobody-leads"),
        pytest.param(("leader", ""), "open", id="one-does-not-serve"),
        pytest.param(("leader", "observer"), "open", id="observers-do-not-vote"),
    ],
)
def test_the_creation_is_over_once_a_quorum_serves(modes: tuple[str, ...], state: str) -> None:
    new = cluster({"bootstrap": record(volumes=3)})
    plan = plan_scale(new, _seen(stateful_set(), claims(), modes=tuple(map(stats, modes))), NOW)
    assert status(plan)["bootstrap"]["state"] == state
    assert told(plan) == (["Created"] if state == "completed" else [])
    assert condition(plan, "Scaled") == ("False", "Creating")


@pytest.mark.parametrize(
    ("found", "is_applied"),
    [
        pytest.param(None, False, id="there-is-none"),
        pytest.param(stateful_set(3), False, id="as-recorded"),
        pytest.param(stateful_set(0), True, id="none-run"),
        pytest.param(stateful_set(5), True, id="too-many-run"),
        pytest.param(stateful_set(0, is_built=False), False, id="not-built-yet"),
        pytest.param(stateful_set(0, is_deleting=True), False, id="being-deleted"),
        pytest.param(stateful_set(0, controller_uid="other"), False, id="of-somebody-else"),
    ],
)
def test_as_many_servers_run_as_the_open_record_has(
    found: SeenStatefulSet | None, is_applied: bool
) -> None:
    known = cluster({"bootstrap": record("open", volumes=3)})
    applied = [
        s for s in plan_scale(known, _seen(found, claims()), NOW) if kinds((s,))[0] is ApplyObject
    ]
    assert bool(applied) == is_applied
    for step in applied:
        assert isinstance(step, ApplyObject)
        assert step.manager == "scale"
        assert step.manifest["spec"] == {"replicas": 3}
        assert step.manifest["metadata"]["uid"] == "uid-of-set"
        assert step.manifest["metadata"]["resourceVersion"] == "9"


@pytest.mark.parametrize("state", ["open", "completed"])
def test_a_paused_cluster_is_left_alone(state: str) -> None:
    plan = plan_scale(cluster({"bootstrap": record(state)}, paused=True), _seen(), NOW)
    assert kinds(plan) == [WriteStatus]
    assert condition(plan, "Scaled") == ("False", "Paused")


def test_the_member_list_that_is_known_is_kept() -> None:
    members = [{"id": 4, "name": "zk-3", "role": "observer", "configVersion": 77}]
    known = cluster({"bootstrap": record("completed"), "members": members})
    plan = plan_scale(known, _seen(stateful_set(), claims()), NOW)
    assert status(plan)["members"] == members


_seens = st.builds(
    _seen,
    st.none() | st.builds(stateful_set, st.integers(0, 5), is_built=st.booleans()),
    st.lists(st.sampled_from(claims(5)), unique=True).map(tuple),
    st.lists(st.sampled_from([pod(f"zk-{n}") for n in range(5)]), unique=True).map(tuple),
    st.lists(st.sampled_from(["leader", "follower", ""]).map(stats), max_size=5).map(tuple),
)
_clusters = st.builds(
    lambda bootstrap, **spec: cluster({"bootstrap": bootstrap} if bootstrap else None, **spec),
    st.none()
    | st.builds(
        record, st.sampled_from(["open", "completed", "adopted"]), st.integers(1, 5), st.just(2)
    ),
    replicas=st.integers(1, 7),
    paused=st.booleans(),
    stopped=st.booleans(),
)


@given(_clusters, _seens)
def test_a_plan_whose_status_is_written_asks_for_no_status_again(known: Any, seen: Seen) -> None:
    """Fixpoint: without a change of the world the second plan writes no status (C18, G3)."""
    for _ in range(5):  # record, volumes, quorum, stop and its step, each seen first.
        known = after(known, plan_scale(known, seen, NOW))
    assert WriteStatus not in kinds(plan_scale(known, seen, NOW))


@given(_clusters, _seens)
def test_no_plan_opens_a_record_again_or_forgets_a_volume(known: Any, seen: Seen) -> None:
    before = known.status.bootstrap
    now = after(known, plan_scale(known, seen, NOW)).status.bootstrap
    if now is None:
        assert known.spec.paused or (known.spec.stopped and not seen.pods), "only when asked for"
    elif before is None:
        assert (now.state == "adopted") == bool(
            seen.pods or seen.claims or (seen.stateful_set and seen.stateful_set.replicas)
        )
    else:
        assert (before.state, now.state) in {
            ("open", "open"), ("open", "completed"), ("completed", "completed"),
            ("adopted", "adopted"),
        }  # fmt: skip
        assert set(before.volumes) <= set(now.volumes)
        assert before.members == now.members
