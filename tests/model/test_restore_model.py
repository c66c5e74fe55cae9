"""Every order of happenings in a restore of three servers: never two histories at one time."""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import replace

import pytest

from functions.planning.restoring import (
    Hold,
    Keep,
    RestoreStep,
    Restoring,
    Swap,
    Verdict,
    Volume,
    plan_restoring,
)
from tests.model.restore import Data, Faults, Plan, Pod, State, happenings, undisturbed, wrongs

MOST_MOVES = 200
FEW = Faults(crashes=1, lost_volumes=0, silences=0, late_writes=1, stale_pods=1)


def _search(first: State, plan: Plan = plan_restoring) -> tuple[set[State], str]:
    """Return the states that were reached, and the first thing that is wrong in one of them."""
    seen, left = {first}, deque([first])
    while left:
        state = left.popleft()
        for after in happenings(state, plan):
            if after in seen:
                continue
            seen.add(after)
            for wrong in wrongs(after):
                return seen, f"{wrong}: {after}"
            left.append(after)
    return seen, ""


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(Faults(1, 0, 0, 0, 1), id="crash-stale-pod"),
        pytest.param(
            Faults(0, 0, 1, 1, 1), id="silence-late-write-stale-pod", marks=pytest.mark.large
        ),
        pytest.param(Faults(0, 1, 1, 0, 0), id="lost-volume-silence", marks=pytest.mark.large),
        pytest.param(FEW, id="crash-late-write-stale-pod", marks=pytest.mark.large),
        pytest.param(
            Faults(1, 1, 1, 0, 1), id="crash-lost-volume-silence-stale-pod", marks=pytest.mark.large
        ),
    ],
)
def test_no_order_of_happenings_mixes_two_histories(faults: Faults) -> None:
    seen, wrong = _search(State(faults=faults))
    sys.stdout.write(f"{len(seen)} states\n")
    assert wrong == ""
    assert any(state.opened and not state.step for state in seen), "some restores end well"
    assert any(not state.restored and not state.step for state in seen), "some are taken back"


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(Faults(0, 0, 0, 0, 1), id="stale-pod"),
        pytest.param(Faults(1, 0, 0, 1, 1), id="crash-late-write", marks=pytest.mark.large),
    ],
)
def test_from_every_state_an_undisturbed_run_ends_with_all_servers_alike(faults: Faults) -> None:
    """A restore that is left alone ends; a lost majority of volumes is somebody else's story."""
    seen, _ = _search(State(faults=faults))
    for state in seen:
        end = _end_of(state)
        assert end.step == "", state
        data = Data.NEW if end.restored else Data.OWN
        assert end.running(data) == 3, (state, end)
        assert not any(it.is_armed for it in end.servers), (state, end)


def _end_of(state: State) -> State:
    for _ in range(MOST_MOVES):
        after = next(undisturbed(state), None)
        if after is None:
            return state
        state = after
    pytest.fail(f"it never ends: {state}")


def _starts_while_others_stop(volume: Volume, verdict: Verdict | None) -> Restoring:
    stopping = verdict is not None and verdict.step in (RestoreStep.STOP, RestoreStep.STOP_BACK)
    return Keep() if stopping and volume.swap is not Swap.HALF else plan_restoring(volume, verdict)


def _asks_nobody(volume: Volume, verdict: Verdict | None) -> Restoring:
    return Keep() if verdict is None else plan_restoring(volume, verdict)


def _forgets_how_it_ended(volume: Volume, verdict: Verdict | None) -> Restoring:
    is_over = verdict is not None and not verdict.uid and volume.swap is not Swap.HALF
    return Keep() if is_over else plan_restoring(volume, verdict)


def _keeps_what_it_was_filled_with(volume: Volume, verdict: Verdict | None) -> Restoring:
    is_stranger = volume.is_empty and not volume.armed
    return Keep() if is_stranger else plan_restoring(volume, verdict)


def _holds_for_ever(volume: Volume, verdict: Verdict | None) -> Restoring:
    found = plan_restoring(volume, verdict)
    return Hold("a mistake") if volume.swap is Swap.HALF else found


@pytest.mark.parametrize(
    ("mutant", "faults"),
    [
        (_starts_while_others_stop, Faults(0, 0, 0, 1, 1)),
        (_asks_nobody, Faults(0, 0, 1, 0, 1)),
        (_forgets_how_it_ended, Faults(1, 0, 0, 0, 0)),
        pytest.param(
            _keeps_what_it_was_filled_with, Faults(1, 1, 0, 0, 0), marks=pytest.mark.large
        ),
    ],
)
def test_the_search_finds_each_kind_of_mistake(mutant: Plan, faults: Faults) -> None:
    _, wrong = _search(State(faults=faults), mutant)
    assert wrong != ""


def test_the_search_finds_a_server_that_never_comes_back() -> None:
    state = State(step="Start", faults=Faults(0, 0, 0, 0, 0))
    half = replace(state.servers[0], pod=Pod.ASKS, data=Data.NOTHING, old=Data.OWN, is_armed=True)
    assert isinstance(_holds_for_ever(half.volume, state.verdict), Hold)
    assert not isinstance(plan_restoring(half.volume, state.verdict), Hold)
