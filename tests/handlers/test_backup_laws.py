"""What holds of backups whatever fails, comes twice, late or never: each run is on record once.

The crash law: fail any outside call of any delivery, deliver again, and the story ends the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from functions.api.backup import ZooKeeperBackup
from functions.api.errors import Conflict, FunctionError, Unavailable
from functions.api.kinds import BACKUP, CRON_JOB, JOB, Ref
from functions.planning.progress import Progress
from tests.handlers.conftest import new_simulation
from tests.handlers.job_controller import Ending
from tests.handlers.laws import deliver_failing, outside_calls

NIGHTLY = Ref(BACKUP, "apps", "nightly")
SCHEDULE = {"mode": "schedule", "schedule": "0 * * * *"}

Action = Callable[[Any], None]


@pytest.fixture(scope="module")
def settled() -> Any:
    simulation = new_simulation()
    simulation.apply(replicas=3)
    simulation.settle()
    return simulation


def _apply(**spec: Any) -> Action:
    return lambda simulation: simulation.apply_backup(**spec)


def _fire(simulation: Any) -> None:
    simulation.fire()


def _fail(program: str, code: int, times: int) -> Action:
    def failing(simulation: Any) -> None:
        simulation.jobs.endings[program] = Ending("It went wrong.", code, times)

    return failing


def _show_progress(simulation: Any) -> None:
    for number in range(20):
        simulation.programs.running[f"10.245.0.{number}"] = Progress(number, 20, "copying")


def _wait(simulation: Any) -> None:
    simulation.clock += timedelta(hours=3)


STORIES: dict[str, list[Action]] = {
    "once": [_show_progress, _apply()],
    "once-tried-again": [_fail("copy-out", 1, 2), _apply()],
    "once-failed-and-edited": [_fail("copy-out", 2, 1), _apply(), _apply(timeout="1h")],
    "scheduled": [_apply(**SCHEDULE), _fire, _fire],
    "scheduled-and-failing": [_apply(**SCHEDULE), _fail("copy-out", 2, 2), _fire, _fire, _fire],
    "kept-for-a-while": [_apply(**SCHEDULE, retention={"keepLast": 1}), _fire, _fire, _fire],
    "kept-later": [_apply(**SCHEDULE), _fire, _fire, _apply(**SCHEDULE, retention={"keepLast": 1})],
    "not-removed-at-first": [
        _apply(**SCHEDULE, retention={"keepLast": 1}), _fail("prune", 2, 1), _fire, _fire, _wait,
    ],
    "suspended": [_apply(**SCHEDULE), _fire, _apply(**SCHEDULE, suspend=True)],
}  # fmt: skip
# `make check` tries one, `make test` some, `make soak` all the others.
QUICK = ("once",)
LONG = (
    "scheduled-and-failing", "kept-for-a-while", "kept-later", "not-removed-at-first",
    "once-failed-and-edited", "once-tried-again", "suspended",
)  # fmt: skip


def _runs_in(story: str) -> Any:
    return () if story in QUICK else pytest.mark.soak if story in LONG else pytest.mark.thorough


@pytest.mark.parametrize(
    "story",
    [pytest.param(story, marks=_runs_in(story)) for story in STORIES],
)
def test_any_failed_call_ends_in_the_same_state(settled: Any, story: str) -> None:
    told = list(_deliveries(settled.fork(), STORIES[story]))
    wanted = _end(told[-1][0])
    tried = 0
    for before, rest, calls in told:
        for fault in _faults(calls):
            crashed = before.fork()
            deliver_failing(crashed, partial(crashed.deliver, "backup", NIGHTLY), *fault)
            if crashed.is_as(before):
                continue
            tried += 1
            for action in (None, *rest):
                if action is not None:
                    action(crashed)
                crashed.settle(())
            _check(crashed)
            assert _end(crashed) == wanted, f"it ends otherwise after {fault}"
    assert tried > 2


def _deliveries(
    simulation: Any, story: list[Action]
) -> Iterator[tuple[Any, list[Action], list[bool]]]:
    """Yield the world before each delivery, what is still to happen, and the calls it makes."""
    for number, action in enumerate(story, start=1):
        action(simulation)
        for _ in range(40):
            written = len(simulation.kube.writes)
            if simulation.kube.get(NIGHTLY) is not None:
                before = simulation.fork()
                yield (
                    before,
                    story[number:],
                    outside_calls(simulation, partial(simulation.deliver, "backup", NIGHTLY)),
                )
            if not simulation.kubernetes() and len(simulation.kube.writes) == written:
                break
        else:
            raise AssertionError("it never settles")
    yield simulation, [], []


def _faults(calls: list[bool]) -> Iterator[tuple[int, FunctionError, bool]]:
    for call, is_write in enumerate(calls, start=1):
        yield call, Unavailable("timed out"), False
        if is_write:
            yield call, Unavailable("timed out"), True
            yield call, Conflict("changed meanwhile"), True


def _end(simulation: Any) -> Any:
    """Return what a world came to, without the names of pods and the times."""
    status = _backup(simulation).status
    cron = simulation.kube.get(Ref(CRON_JOB, "apps", "backup-nightly"))
    jobs = simulation.kube.list(JOB, "apps")
    return {
        "word": (status.status, status.failures, status.server, status.observed_generation),
        "record": [(found.size, found.zxid, found.verified) for found in status.record],
        "conditions": [(c.type, c.status, c.reason) for c in status.conditions],
        "jobs": sorted(c["type"] for job in jobs for c in job["status"]["conditions"]),
        "suspend": None if cron is None else cron["spec"]["suspend"],
        "store": len(simulation.jobs.store),
        "events": sorted(set(simulation.events())),
    }


def _backup(simulation: Any) -> ZooKeeperBackup:
    found: ZooKeeperBackup = simulation.backup()
    return found


def _check(simulation: Any) -> None:
    """Check what must be so in every world that is at rest."""
    keys = [found.key for found in _backup(simulation).status.record]
    assert len(set(keys)) == len(keys), "a run is on record twice"
    assert set(keys) == simulation.jobs.store, "the record and the store differ"


def _deliver(simulation: Any) -> None:
    assert simulation.deliver("backup", NIGHTLY).status in (204, 409)


def _late(simulation: Any) -> None:
    """Let two deliveries read the same world: the second knows nothing of what the first did."""
    with simulation.kube.lagging():
        _deliver(simulation)
        _deliver(simulation)


def _kubernetes(simulation: Any) -> None:
    simulation.kubernetes()


def _kubernetes_goes_on(simulation: Any) -> None:
    for _ in range(3):
        simulation.kubernetes()


def _fire_if_there(simulation: Any) -> None:
    if simulation.kube.get(Ref(CRON_JOB, "apps", "backup-nightly")) is not None:
        simulation.fire()


RUN = ["fire", "kubernetes-goes-on", "kubernetes-goes-on"]


def _keep(count: int) -> Action:
    return _apply(**SCHEDULE, retention={"keepLast": count})


ACTIONS: dict[str, Action] = {
    "deliver": _deliver,
    "late": _late,
    "kubernetes": _kubernetes,
    "kubernetes-goes-on": _kubernetes_goes_on,
    "fire": _fire_if_there,
    "fail": _fail("copy-out", 2, 1),
    "fail-once": _fail("copy-out", 1, 1),
    "fail-to-remove": _fail("prune", 2, 1),
    "keep-one": _keep(1),
    "keep-two": _keep(2),
    "wait": _wait,
}


@pytest.mark.thorough
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=25))
@example(names=[*2 * ["deliver", *RUN], "keep-one", *6 * ["deliver", "kubernetes"]])
def test_in_whatever_order_things_happen_the_record_is_what_is_in_the_store(
    settled: Any, names: list[str]
) -> None:
    simulation = settled.fork()
    simulation.apply_backup(**SCHEDULE)
    seen: set[str] = set()
    for name in names:
        ACTIONS[name](simulation)
        _check_meanwhile(simulation, seen)
    simulation.jobs.endings.clear()
    simulation.settle(())
    # Not at the very minute at which the newest backup becomes too old: looking takes seconds.
    simulation.clock += timedelta(hours=2, minutes=10)
    simulation.settle(())
    _check(simulation)
    written = len(simulation.kube.writes)
    simulation.round(())
    assert len(simulation.kube.writes) == written


def _check_meanwhile(simulation: Any, seen: set[str]) -> None:
    """At no moment is there an entry without a finished run, was the newest removed, or did an
    entry leave before its objects."""
    found = _backup(simulation).status.record
    keys = {record.key for record in found}
    seen |= keys
    assert all(record.finish_time for record in found)
    assert not (seen - keys) & simulation.jobs.store, "an entry left before its objects"
    if found:
        assert found[-1].key in simulation.jobs.store, "the newest backup was removed"
