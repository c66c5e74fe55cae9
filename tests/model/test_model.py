"""The model is checked, not only the code: every reachable state of small ensembles.

What is searched is in `tests/model/search.py`; each test prints how many states it visited. The
small bounds run in `make test`, the larger ones (marked `large`) in `make soak` and `make model`.
"""

from __future__ import annotations

import pytest

from tests.model.search import search
from tests.model.state import Faults, Scenario, established, new

Targets = tuple[tuple[int, int], ...]


def sizes(most: int) -> Targets:
    return tuple((voters, 0) for voters in range(1, most + 1))


def visited(scenario: Scenario, name: str) -> None:
    found = search(scenario)
    print(f"model: {name}: {found.states} states visited, {found.goals} of them as wanted")
    assert found.goals


@pytest.mark.parametrize("voters", [1, 2])
def test_a_creation_ends_with_a_quorum_of_recorded_disks_only(voters: int) -> None:
    visited(Scenario(new(voters, Faults(crashes=1, losses=1))), f"creation of {voters}")


@pytest.mark.parametrize("voters", [1, 2, 3])
def test_any_size_is_reached_whoever_crashes(voters: int) -> None:
    faults = Faults(crashes=1, targets=1)
    visited(Scenario(established(voters, faults, size=3), sizes(3)), f"from {voters}, a crash")


@pytest.mark.parametrize("voters", [1, 2, 3])
def test_lost_disks_are_filled_by_the_leader_and_never_elected(voters: int) -> None:
    faults = Faults(losses=1, targets=1, writes=1)
    visited(Scenario(established(voters, faults, size=3), sizes(3)), f"from {voters}, a lost disk")


def test_a_target_that_changes_midway_is_simply_the_new_target() -> None:
    visited(Scenario(established(3, Faults(targets=2), size=3), sizes(3)), "targets that change")


def test_a_roll_and_a_change_of_size_do_not_disturb_each_other() -> None:
    faults = Faults(targets=1, rolls=1)
    visited(Scenario(established(3, faults, size=3), sizes(3)), "a roll while scaling")


@pytest.mark.parametrize("changes", [1, pytest.param(2, marks=pytest.mark.large)])
def test_what_was_read_before_others_wrote_does_no_harm(changes: int) -> None:
    faults = Faults(targets=changes, slow=1)
    visited(Scenario(established(3, faults, size=3), sizes(3)), "a slow delivery")


def test_a_server_that_cannot_ask_for_the_record_starts_from_its_own_files_safely() -> None:
    faults = Faults(targets=2, blind=3, writes=1)
    visited(Scenario(established(3, faults, size=3), sizes(3)), "preparations without a record")


@pytest.mark.large
@pytest.mark.parametrize(
    ("voters", "faults"),
    [(3, Faults(crashes=1, losses=1)), (4, Faults(losses=1)), (5, Faults())],
    ids=["3-with-faults", "4-with-a-lost-disk", "5"],
)
def test_larger_ensembles_are_created_with_recorded_disks_only(voters: int, faults: Faults) -> None:
    visited(Scenario(new(voters, faults)), f"creation of {voters}")


@pytest.mark.large
@pytest.mark.parametrize(("voters", "target"), [(3, 5), (4, 2), (4, 5), (5, 3)])
def test_larger_ensembles_reach_their_size_whoever_crashes(voters: int, target: int) -> None:
    faults = Faults(crashes=1, targets=1)
    begin = established(voters, faults, size=5)
    visited(Scenario(begin, ((target, 0),)), f"from {voters} to {target}, a crash")


@pytest.mark.large
def test_larger_ensembles_fill_a_lost_disk_while_they_shrink() -> None:
    begin = established(5, Faults(losses=1, targets=1), size=5)
    visited(Scenario(begin, ((3, 0),)), "from 5 to 3, a lost disk")


@pytest.mark.large
def test_observers_come_and_go_whoever_crashes() -> None:
    begin = established(2, Faults(crashes=1, targets=1), size=3, observers=1)
    targets = ((3, 0), (2, 0), (1, 2))
    visited(Scenario(begin, targets), "2 voters and an observer, a crash")


@pytest.mark.large
def test_two_of_three_disks_are_lost_one_after_the_other_or_at_once() -> None:
    begin = established(3, Faults(losses=2, targets=1), size=3)
    visited(Scenario(begin, sizes(3)), "from 3, two lost disks")
