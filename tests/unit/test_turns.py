"""Taking turns at an object: who looks, who waits, and who has nothing left to do."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.runtime.turns import Turns

SECONDS = 10.0


def test_a_burst_about_one_object_costs_two_looks() -> None:
    turns, looks = Turns(), list[str]()
    first_looks, go_on = threading.Event(), threading.Event()

    def look(told: str) -> bool:
        with turns.of("one") as is_mine:
            if is_mine:
                looks.append(told)
                first_looks.set()
                assert go_on.wait(SECONDS)
            return is_mine

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(look, "first")
        assert first_looks.wait(SECONDS)
        second = threads.submit(look, "second")
        _until_awaited(turns)
        assert not look("third"), "the second has yet to look"
        assert looks == ["first"]
        go_on.set()
        assert first.result(SECONDS)
        assert second.result(SECONDS)
    assert looks == ["first", "second"]


def _until_awaited(turns: Turns) -> None:
    deadline = time.monotonic() + SECONDS
    while not turns.is_awaited("one"):
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_what_comes_while_one_looks_is_looked_at_afterwards() -> None:
    turns = Turns()
    assert not turns.is_awaited("one"), "nobody has it"
    with ThreadPoolExecutor(1) as threads:
        with turns.of("one") as first:
            assert first
            assert not turns.is_awaited("one"), "who has it does not wait"
            assert _takes(turns, "another"), "turns of other objects are their own"
            later = threads.submit(_takes, turns, "one")
            _until_awaited(turns)
            assert not later.done()
        assert later.result(SECONDS)


def _takes(turns: Turns, key: str, arrived: float | None = None) -> bool:
    with turns.of(key, arrived) as is_mine:
        return is_mine


def test_a_look_that_fails_leaves_the_turn() -> None:
    turns = Turns()
    with pytest.raises(KeyError), turns.of("one"):
        _fail()
    assert _takes(turns, "one")


def _fail() -> None:
    raise KeyError


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


ARRIVALS = [
    pytest.param(4.9, False, id="before-the-look"),
    pytest.param(5.0, True, id="as-it-began"),
    pytest.param(5.5, True, id="while-it-looked"),
    pytest.param(7.0, True, id="after-it"),
    pytest.param(None, True, id="nobody-knows"),
]


@pytest.mark.parametrize(("arrived", "is_needed"), ARRIVALS)
def test_an_event_that_had_arrived_before_a_finished_look_needs_none(
    arrived: float | None, is_needed: bool
) -> None:
    clock = Clock()
    turns = Turns(clock)
    clock.now = 5.0
    with turns.of("one", 1.0) as is_mine:
        assert is_mine, "nobody has looked yet"
        clock.now = 6.0
    with turns.of("one", arrived) as is_mine:
        assert is_mine is is_needed
    with turns.of("another", arrived) as is_mine:
        assert is_mine, "looks at other objects are their own"


def test_a_look_that_fails_spares_no_event_another() -> None:
    clock = Clock()
    turns = Turns(clock)
    clock.now = 5.0
    with pytest.raises(KeyError), turns.of("one", 1.0):
        _fail()
    with turns.of("one", 1.0) as is_mine:
        assert is_mine


def test_an_event_that_waited_for_a_look_begun_before_it_came_is_looked_at() -> None:
    clock = Clock()
    turns = Turns(clock)
    with ThreadPoolExecutor(1) as threads:
        with turns.of("one", 0.0):
            clock.now = 1.0
            later = threads.submit(_takes, turns, "one", 1.0)
            _until_awaited(turns)
        assert later.result(SECONDS)


@pytest.mark.parametrize("arrived", [7.0, None], ids=["after-the-look-began", "nobody-knows"])
def test_what_was_left_to_one_that_waits_is_looked_at_though_its_own_event_needs_no_look(
    arrived: float | None,
) -> None:
    clock = Clock()
    turns = Turns(clock)
    clock.now = 5.0
    with ThreadPoolExecutor(1) as threads:
        with turns.of("one"):
            waits = threads.submit(_takes, turns, "one", 4.0)
            _until_awaited(turns)
            assert not _takes(turns, "one", arrived), "left to the one that waits"
            assert not _takes(turns, "one", 3.0), "an older one takes nothing back"
        assert waits.result(SECONDS)


def test_only_so_many_looks_are_remembered_and_the_oldest_are_forgotten() -> None:
    clock = Clock()
    turns = Turns(clock, most=2)
    for key in ("one", "two", "one", "three"):
        clock.now += 1.0
        assert _takes(turns, key)
    assert not _takes(turns, "one", 1.5), "looked at once more than two"
    assert not _takes(turns, "three", 1.5)
    assert _takes(turns, "two", 1.5), "forgotten"
