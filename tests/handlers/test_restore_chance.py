"""Restores in any order with whatever else happens: one history serves, at any time."""

from __future__ import annotations

import random
from typing import Any

import pytest

from functions.api.kinds import JOB, RESTORE, Ref
from tests.handlers.laws import check_invariants
from tests.handlers.test_restore_cluster import LONG

FUNCTIONS = ("restore", "scale", "reconcile-cluster", "roll", "observe")
NAMES = ("back", "later")
WEIGHTS = {
    "deliver": 30, "late": 8, "nodes": 14, "restore": 2, "staged": 1, "delete": 1, "tear": 1,
    "kill": 2, "lose": 1, "break": 1, "mend": 3, "hours": 1, "grow": 1, "shrink": 1, "roll": 1,
    "pause": 1, "wake": 2, "job": 1,
}  # fmt: skip


def _runs_in(seed: int) -> Any:
    """`make check` runs one seed, `make test` some, `make soak` all the others."""
    return () if seed < 1 else pytest.mark.thorough if seed < 5 else pytest.mark.soak


@pytest.mark.parametrize("seed", [pytest.param(n, marks=_runs_in(n)) for n in range(60)])
def test_whatever_happens_one_history_serves(simulation: Any, seed: int) -> None:
    chance = random.Random(seed)
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.apply_restore("back")
    for step in chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=150):
        _happens(simulation, step, chance)
        check_invariants(simulation)
    _ends_well(simulation)


def _happens(simulation: Any, step: str, chance: random.Random) -> None:
    match step:
        case "deliver":
            _deliver(simulation, chance.choice(FUNCTIONS))
        case "late":
            # Both read the same world: the second knows nothing of what the first did.
            with simulation.kube.lagging():
                _deliver(simulation, chance.choice(FUNCTIONS))
                _deliver(simulation, chance.choice(FUNCTIONS))
        case "nodes":
            simulation.kubernetes()
        case "grow" | "shrink" | "roll" | "pause" | "wake":
            _wishes(simulation, step)
        case _:
            _user_or_fate(simulation, step, chance)


def _user_or_fate(simulation: Any, step: str, chance: random.Random) -> None:
    name, pod = chance.choice(NAMES), f"zk-{chance.randrange(3)}"
    match step:
        case "restore" | "staged" if not _is_there(simulation, name):
            simulation.apply_restore(name, rolloutRestart=step == "restore")
        case "delete" | "tear" if _is_there(simulation, name):
            _delete(simulation, name, is_torn=step == "tear")
        case "hours":
            simulation.clock += LONG
        case "job" if jobs := simulation.kube.list(JOB, "apps"):
            metadata = chance.choice(jobs)["metadata"]
            simulation.kube.delete(Ref(JOB, "apps", metadata["name"]), uid=metadata["uid"])
        case _:
            _breaks(simulation, step, pod)


def _deliver(simulation: Any, function: str) -> None:
    assert simulation.deliver(function).status in (204, 409, 503)


def _is_there(simulation: Any, name: str) -> bool:
    return simulation.kube.get(Ref(RESTORE, "apps", name)) is not None


def _delete(simulation: Any, name: str, is_torn: bool) -> None:
    ref = Ref(RESTORE, "apps", name)
    found = simulation.kube.get(ref)
    if is_torn:
        found["metadata"]["finalizers"] = []
        found = simulation.kube.update(found, manager="kubectl-edit")
    simulation.kube.delete(ref, uid=found["metadata"]["uid"])


def _wishes(simulation: Any, step: str) -> None:
    spec: dict[str, Any] = {"replicas": {"grow": 5, "shrink": 3}.get(step, 3)}
    if step == "roll":
        spec["restartedAt"] = f"2026-02-02T00:00:{simulation.clock:%S}Z"
    simulation.apply(**spec, paused=step == "pause")


def _breaks(simulation: Any, step: str, pod: str) -> None:
    is_running = pod in simulation.pods()
    match step:
        case "kill" if is_running:
            simulation.remove_pod(pod)
        case "lose" if is_running and pod == "zk-2":
            # Always the same one, so that a majority of the disks is never lost.
            simulation.lose(pod)
        case "break" if is_running:
            simulation.remove_pod(pod)
            simulation.broken_pods.add(pod)
        case "mend":
            simulation.broken_pods.clear()
        case _:
            pass  # It cannot happen to what is not there.


def _ends_well(simulation: Any) -> None:
    """Mend everything, wait as long as anybody waits, and see that all is at peace."""
    simulation.apply(replicas=3, paused=False)
    for _ in range(3):
        simulation.broken_pods.clear()
        for _ in range(40):
            written = simulation.round()
            changed = simulation.kubernetes()
            check_invariants(simulation)
            if not written and not changed:
                break
        simulation.clock += LONG
    assert simulation.cluster().status.operation is None
    assert simulation.condition("Available")[0] == "True"
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    for name in NAMES:
        if _is_there(simulation, name):
            assert simulation.restore(name).status.step == "Done"
