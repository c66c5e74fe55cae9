"""A search that cannot fail proves nothing: each of these mistakes must be found by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.model.cluster import (
    AS_IS,
    FOUND,
    JOIN,
    PRODUCT,
    Acts,
    Change,
    Functions,
    Prepared,
    RemovePod,
    Run,
    SetOperation,
    Status,
    View,
)
from tests.model.ensemble import Roles, Server
from tests.model.search import Counterexample, search
from tests.model.state import Faults, Scenario, State, established, new
from tests.model.test_model import Targets, sizes


def _always_marks(n: int, server: Server, status: Status | None) -> Prepared:
    """Let every empty disk vote."""
    decided = PRODUCT.prepare(n, server, status)
    return decided._replace(what=FOUND) if decided.what == JOIN and server.epoch < 0 else decided


def _any_volume(n: int, server: Server, status: Status | None) -> Prepared:
    """Ask whether the creation is under way, and not whether this volume is on its record."""
    if status is None or status.record != "open" or server.epoch >= 0:
        return PRODUCT.prepare(n, server, status)
    return Prepared(FOUND, Roles((1 << status.size) - 1, 0))


def _forgets_the_version(n: int, server: Server, status: Status | None) -> Prepared:
    """Start from the recorded list as if it were older than any other."""
    return PRODUCT.prepare(n, server, status)._replace(version=0)


def _keeps_its_own_list(n: int, server: Server, status: Status | None) -> Prepared:
    """Start as it is although the own list lacks the server."""
    return Prepared(AS_IS) if server.epoch >= 0 else PRODUCT.prepare(n, server, status)


def _stops_pods_first(view: View) -> Acts:
    """Lower the number of pods before the members leave the list."""
    wanted = sum(view.status.wanted)
    if view.status.record == "completed" and view.replicas > wanted:
        return (Run(wanted),)
    return PRODUCT.scale(view)


def _adds_before_it_serves(view: View) -> Acts:
    """Take in every new server at once, caught up or not."""
    if view.committed is None or view.replicas != sum(view.status.wanted):
        return PRODUCT.scale(view)
    version, roles = view.committed
    missing = [n for n in range(view.replicas) if not roles.voters >> n & 1]
    return tuple(Change(n, "participant", version) for n in missing) or PRODUCT.scale(view)


def _rolls_without_looking(view: View) -> Acts:
    """Replace every outdated pod at once, without the lock, and wait for none."""
    outdated = [n for n, (mode, is_outdated, _) in enumerate(view.pods) if mode and is_outdated]
    return tuple(RemovePod(n, True) for n in outdated[:1]) if len(outdated) > 1 else ()


def _never_ends_its_operation(view: View) -> Acts:
    """Leave the lock on record."""
    return tuple(act for act in PRODUCT.scale(view) if act != SetOperation(None))


def _never_replaces_a_pod(view: View) -> Acts:
    """Wait for a joiner whose list lacks it."""
    return tuple(act for act in PRODUCT.scale(view) if not isinstance(act, RemovePod))


def _with(**mutants: Callable[..., object]) -> Functions:
    return replace(PRODUCT, **mutants)  # type: ignore[arg-type]


def _three(faults: Faults) -> State:
    return established(3, faults, size=3)


@pytest.mark.parametrize(
    ("begin", "functions", "targets", "told"),
    [
        pytest.param(
            _three(Faults(losses=2, writes=1)), _with(prepare=_always_marks), (),
            "without every acknowledged write", id="a-preparation-that-always-places-a-marker",
        ),
        pytest.param(
            new(1, Faults(losses=1, writes=1)), _with(prepare=_any_volume), (),
            "without every acknowledged write", id="a-marker-for-a-volume-that-is-not-on-record",
        ),
        pytest.param(
            _three(Faults(crashes=1, targets=1)), _with(prepare=_forgets_the_version), ((1, 0),),
            "is the member list again", id="a-server-that-goes-back-to-an-older-list",
        ),
        pytest.param(
            established(1, Faults(crashes=1, targets=1), size=2),
            _with(prepare=_keeps_its_own_list), sizes(2),
            "nothing goes on", id="a-server-that-starts-with-a-list-that-lacks-it",
        ),
        pytest.param(
            _three(Faults(targets=1)), _with(scale=_stops_pods_first), sizes(3),
            "are members", id="pods-that-stop-before-their-servers-leave",
        ),
        pytest.param(
            established(3, Faults(targets=1, losses=1), size=5),
            _with(scale=_adds_before_it_serves), ((5, 0),),
            "nothing goes on", id="two-added-at-once-that-have-not-caught-up",
            marks=pytest.mark.large,
        ),
        pytest.param(
            _three(Faults(targets=1)), _with(scale=_never_ends_its_operation), sizes(3),
            "nothing goes on", id="a-lock-that-is-never-given-back",
        ),
        pytest.param(
            _three(Faults(rolls=1)), _with(roll=_rolls_without_looking), (),
            "nothing goes on", id="a-roll-that-leaves-a-pod-behind",
        ),
        pytest.param(
            established(1, Faults(crashes=1, targets=1), size=2),
            _with(scale=_never_replaces_a_pod), sizes(2),
            "nothing goes on", id="a-joiner-that-is-waited-for-in-vain",
        ),
    ],
)  # fmt: skip
def test_the_search_finds(begin: State, functions: Functions, targets: Targets, told: str) -> None:
    with pytest.raises(Counterexample, match=told):
        search(Scenario(begin, targets, functions))


def test_a_counterexample_tells_the_way_step_by_step() -> None:
    scenario = Scenario(_three(Faults(targets=1)), sizes(3), _with(scale=_stops_pods_first))
    with pytest.raises(Counterexample) as found:
        search(scenario)
    told = str(found.value).splitlines()
    assert told[0].endswith("after 2 steps:")
    assert told[1].strip().endswith("servers are wanted")
    assert told[2].strip().startswith("scale: Run(")
