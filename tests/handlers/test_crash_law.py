"""The crash law: fail any outside call of any delivery, deliver again, and it ends the same.

Every delivery of a story is repeated with each of its calls failing: a write before it took effect
and after, as something unreachable and as a conflict. A world that was met before ends as it did
then, so only new ones are followed to their end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from functions.api.errors import Conflict, FunctionError, Unavailable
from functions.api.kinds import CLUSTER, CONFIG_MAP, SERVICE, STATEFUL_SET, Ref
from tests.handlers.laws import (
    check_invariants,
    deliver_failing,
    end_state,
    outside_calls,
    whole_state,
)

FUNCTIONS = ("reconcile-cluster", "scale", "roll", "observe")


def _create(size: int, **spec: Any) -> Callable[[Any], None]:
    return lambda simulation: simulation.apply(replicas=size, **spec)


def _delete(**spec: Any) -> Callable[[Any], None]:
    def prepared(simulation: Any) -> None:
        simulation.apply(replicas=3, **spec)
        simulation.settle()
        simulation.delete()

    return prepared


def _adopt(simulation: Any) -> None:
    _delete()(simulation)
    simulation.settle()
    simulation.apply(replicas=3)


def _mend(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    service = simulation.kube.get(Ref(SERVICE, "apps", "zk-client"))
    service["spec"]["type"] = "NodePort"
    simulation.kube.update(service, manager="kubectl-edit")
    for ref in (Ref(CONFIG_MAP, "apps", "zk-config"), Ref(STATEFUL_SET, "apps", "zk")):
        simulation.kube.delete(ref, uid=simulation.kube.get(ref)["metadata"]["uid"])


def _stop(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.apply(replicas=3, stopped=True)


def _wake(simulation: Any) -> None:
    _stop(simulation)
    simulation.settle()
    simulation.apply(replicas=3)


def _remove_volumes(simulation: Any) -> None:
    simulation.apply(replicas=2)
    simulation.settle()
    simulation.apply(replicas=1)
    simulation.settle()
    simulation.apply(replicas=1, storage={"onScaleDown": "Delete"})


def _recover(**spec: Any) -> Callable[[Any], None]:
    def prepared(simulation: Any) -> None:
        simulation.apply(replicas=3, **spec)
        simulation.settle()
        simulation.lose("zk-0", "zk-1")
        simulation.settle()
        incident = simulation.cluster().status.incident
        recovery = {"incident": incident, "continueFrom": "zk-2"}
        simulation.apply(replicas=3, recovery=recovery, **spec)

    return prepared


def _lose_two(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.lose("zk-0", "zk-1")


STORIES = {
    "create-one": _create(1),
    "create-three": _create(3),
    "create-ephemeral": _create(3, storage={"ephemeral": True}),
    "create-with-a-log-volume": _create(1, storage={"log": {"size": "1Gi"}}),
    "delete": _delete(),
    "delete-with-volumes": _delete(clearPersistence=True),
    "adopt": _adopt,
    "mend": _mend,
    "lose-two-disks": _lose_two,
    "recover": _recover(),
    "recover-ephemeral": _recover(storage={"ephemeral": True}),
    "stop": _stop,
    "wake": _wake,
    "remove-volumes": _remove_volumes,
}


# `make check` tries one, `make test` most, `make soak` all the others.
QUICK = ("delete-with-volumes",)
LONG = (
    "create-three", "create-ephemeral", "create-with-a-log-volume", "adopt", "recover-ephemeral",
)  # fmt: skip


def _runs_in(story: str) -> Any:
    return () if story in QUICK else pytest.mark.soak if story in LONG else pytest.mark.thorough


@pytest.mark.parametrize(
    "story",
    [pytest.param(story, marks=_runs_in(story)) for story in STORIES],
)
def test_any_failed_call_ends_in_the_same_state(simulation: Any, story: str) -> None:
    simulation.passwords.only = "left to chance otherwise"
    STORIES[story](simulation)
    tried = 0
    ends: dict[str, str] = {}
    deliveries = list(_deliveries(simulation))
    wanted = end_state(simulation)
    for before, function, calls in deliveries:
        ends[whole_state(before)] = wanted
        for fault in _faults(calls):
            crashed = before.fork()
            deliver_failing(crashed, partial(crashed.deliver, function), *fault)
            tried += 1
            if crashed.is_as(before):
                continue
            check_invariants(crashed)
            key = whole_state(crashed)
            if key not in ends:
                crashed.settle()
                check_invariants(crashed)
                ends[key] = end_state(crashed)
            assert ends[key] == wanted, f"{function} ends otherwise after {fault}"
    assert tried > 10


def _deliveries(simulation: Any) -> Iterator[tuple[Any, str, list[bool]]]:
    """Yield the world before each delivery, its function and the calls it makes."""
    for _ in range(40):
        written = len(simulation.kube.writes)
        for function in FUNCTIONS:
            before = simulation.fork()
            yield before, function, outside_calls(simulation, partial(simulation.deliver, function))
        if not simulation.kubernetes() and len(simulation.kube.writes) == written:
            return
    raise AssertionError("it never settles")


def _faults(calls: list[bool]) -> Iterator[tuple[int, FunctionError, bool]]:
    """Give every fault: a read has no effect, so it only fails to answer."""
    for call, is_write in enumerate(calls, start=1):
        yield call, Unavailable("timed out"), False
        if is_write:
            yield call, Unavailable("timed out"), True
            yield call, Conflict("changed meanwhile"), False
            yield call, Conflict("changed meanwhile"), True


def test_two_worlds_that_differ_are_told_apart(simulation: Any) -> None:
    """The law would hold of anything if the comparison saw nothing."""
    simulation.apply(replicas=1)
    simulation.settle()
    other = simulation.fork()
    assert end_state(other) == end_state(simulation)
    ref = Ref(CLUSTER, "apps", "zk")
    found = other.kube.get(ref)
    found["status"]["conditions"][0]["message"] = "otherwise"
    other.kube.update(found, manager="observe", subresource="status")
    assert end_state(other) != end_state(simulation)


def test_the_invariants_notice_a_foreign_field_a_wrong_number_and_a_second_marker(
    simulation: Any,
) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    check_invariants(simulation)
    for harm in (_foreign_field, _fewer_replicas, _second_marker):
        harmed = simulation.fork()
        harm(harmed)
        with pytest.raises(AssertionError):
            check_invariants(harmed)


def _foreign_field(simulation: Any) -> None:
    found = simulation.kube.get(Ref(CLUSTER, "apps", "zk"))
    found["status"]["bootstrap"]["state"] = "open"
    simulation.kube.update(found, manager="observe", subresource="status")


def _fewer_replicas(simulation: Any) -> None:
    found = simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk"))
    found["spec"]["replicas"] = 0
    simulation.kube.update(found, manager="scale")


def _second_marker(simulation: Any) -> None:
    simulation.markers.append(simulation.markers[0])
