"""The crash law of a restore: fail any outside call of any delivery, deliver again, same end.

As in test_crash_law, but what counts at the end is what a restore is about: whose data every volume
and every server has, what status says, and that nobody holds the servers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from functions.api.errors import Conflict, FunctionError, Unavailable
from functions.api.kinds import PERSISTENT_VOLUME_CLAIM, RESTORE, STATEFUL_SET, Ref
from tests.handlers.job_controller import Ending
from tests.handlers.laws import (
    check_invariants,
    deliver_failing,
    outside_calls,
    whole_state,
)

FUNCTIONS = ("restore", "scale", "reconcile-cluster", "roll", "observe")
# The others only look on; their own calls are failed in test_crash_law.
FAILING = ("restore", "scale")
BACK = Ref(RESTORE, "apps", "back")


def _put_in_place(simulation: Any, size: int = 1) -> None:
    simulation.apply(replicas=size)
    simulation.settle()
    simulation.apply_restore()


def _put_in_three_places(simulation: Any) -> None:
    _put_in_place(simulation, 3)


def _refused(simulation: Any) -> None:
    _put_in_place(simulation)
    simulation.jobs.endings["arm"] = Ending("no space", code=2, times=99)


def _deleted_while(step: str) -> Callable[[Any], None]:
    def prepared(simulation: Any) -> None:
        _put_in_place(simulation)
        for _ in range(60):
            for function in FUNCTIONS:
                simulation.deliver(function)
                held = simulation.cluster().status.operation
                if held is not None and held.step == step:
                    found = simulation.kube.get(BACK)
                    simulation.kube.delete(BACK, uid=found["metadata"]["uid"])
                    return
            simulation.kubernetes()
        raise AssertionError(f"it never comes to {step}")

    return prepared


LONG = ("put-in-three-places", "refused", "deleted-while-starting", "deleted-while-opening")
STORIES = {
    "put-in-place": _put_in_place,
    "put-in-three-places": _put_in_three_places,
    "refused": _refused,
    "deleted-while-armed": _deleted_while("Arm"),
    "deleted-while-starting": _deleted_while("Start"),
    "deleted-while-opening": _deleted_while("Open"),
}


def _runs_in(story: str) -> Any:
    """Three servers take as long as all other stories: `make soak` tries them, and more."""
    return pytest.mark.soak if story in LONG else pytest.mark.thorough


@pytest.mark.parametrize("story", [pytest.param(it, marks=_runs_in(it)) for it in STORIES])
def test_any_failed_call_ends_with_the_same_data(simulation: Any, story: str) -> None:
    simulation.passwords.only = "left to chance otherwise"
    STORIES[story](simulation)
    deliveries = list(_deliveries(simulation))
    wanted, ends, tried = _end(simulation), {}, 0
    for before, function, calls in deliveries:
        ends[_key(before)] = wanted
        for fault in _faults(calls):
            crashed = before.fork()
            deliver_failing(crashed, partial(crashed.deliver, function), *fault)
            check_invariants(crashed)
            tried += 1
            if crashed.is_as(before):
                continue
            key = _key(crashed)
            if key not in ends:
                _settle(crashed)
                ends[key] = _end(crashed)
            assert ends[key] == wanted, f"{function} ends otherwise after {fault}"
    assert tried > 20


def _deliveries(simulation: Any) -> Iterator[tuple[Any, str, list[bool]]]:
    """Yield the world before each delivery, its function and, of its calls, which ones wrote."""
    for _ in range(60):
        written = len(simulation.kube.writes)
        for function in FUNCTIONS:
            before = simulation.fork()
            calls = outside_calls(simulation, partial(simulation.deliver, function), 400)
            if function in FAILING and any(calls):
                yield before, function, calls
        if not simulation.kubernetes() and len(simulation.kube.writes) == written:
            return
    raise AssertionError("it never settles")


def _faults(calls: list[bool]) -> Iterator[tuple[int, FunctionError, bool]]:
    """Give the faults that leave something half done: around every write, and one read between."""
    for call, is_write in enumerate(calls, start=1):
        is_after_write = call > 1 and calls[call - 2]
        if is_write:
            yield call, Unavailable("timed out"), False
            yield call, Unavailable("timed out"), True
            yield call, Conflict("changed meanwhile"), True
        elif is_after_write:
            yield call, Unavailable("timed out"), False


def _settle(simulation: Any) -> None:
    for _ in range(60):
        written = len(simulation.kube.writes)
        for function in FUNCTIONS:
            assert simulation.deliver(function).status == 204
            check_invariants(simulation)
        changed = simulation.kubernetes()
        check_invariants(simulation)
        if not changed and len(simulation.kube.writes) == written:
            return
    raise AssertionError("it never settles")


def _key(simulation: Any) -> str:
    return whole_state(simulation) + repr(sorted(simulation.jobs.volumes.contents.items()))


def _end(simulation: Any) -> object:
    """Return everything that counts, without times and without what chance decides."""
    found, cluster = simulation.kube.get(BACK), simulation.cluster()
    told = None
    if found is not None:
        status = simulation.restore().status
        conditions = sorted((c.type, c.status, c.reason) for c in status.conditions)
        told = (status.status, status.step, status.message, status.zxid, conditions)
    claims = simulation.kube.list(PERSISTENT_VOLUME_CLAIM, "apps")
    contents = [simulation.jobs.volumes.of(claim["metadata"]["uid"]) for claim in claims]
    return (
        told,
        sorted((c.type, c.status, c.reason) for c in cluster.status.conditions),
        cluster.status.operation,
        bool(cluster.status.restored),
        [(bool(it.history), it.staged, it.armed, it.is_applied) for it in contents],
        simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk"))["spec"]["replicas"],
    )


ENDS = {"put-in-place": "restarted", "refused": "failed"}


@pytest.mark.parametrize(
    "story", [pytest.param("put-in-place", marks=pytest.mark.thorough), "refused"]
)
def test_duplicated_and_reordered_events_change_nothing(simulation: Any, story: str) -> None:
    STORIES[story](simulation)
    order = list(FUNCTIONS)
    for turn in range(40):
        order = order[1:] + order[:1]
        for function in (*order, *reversed(order)):
            assert simulation.deliver(function).status == 204
            check_invariants(simulation)
        # Events get lost as well: every third time nobody hears of what the nodes did.
        simulation.kubernetes()
        if turn % 3 == 0:
            simulation.kubernetes()
        check_invariants(simulation)
    assert simulation.restore().status.status == ENDS[story]
    assert simulation.cluster().status.operation is None


def test_the_law_sees_volumes_that_differ(simulation: Any) -> None:
    """It would hold of anything if the comparison saw nothing."""
    _put_in_place(simulation)
    _settle(simulation)
    other = simulation.fork()
    assert _end(other) == _end(simulation)
    (uid,) = other.jobs.volumes.contents
    other.jobs.volumes.contents.clear()
    assert _end(other) != _end(simulation)
    assert uid in simulation.jobs.volumes.contents


def test_the_law_sees_servers_of_two_histories(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.apply_restore()
    _settle(simulation)
    server = next(iter(next(iter(simulation.ensembles.values())).servers.values()))
    volumes, uid = simulation.jobs.volumes, simulation.disk_at[server.host]
    volumes.contents[uid] = type(volumes.of(uid))(history="another")
    simulation.kubernetes()
    with pytest.raises(AssertionError):
        check_invariants(simulation)
