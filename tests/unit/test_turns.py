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


def _takes(turns: Turns, key: str) -> bool:
    with turns.of(key) as is_mine:
        return is_mine


def test_a_look_that_fails_leaves_the_turn() -> None:
    turns = Turns()
    with pytest.raises(KeyError), turns.of("one"):
        _fail()
    assert _takes(turns, "one")


def _fail() -> None:
    raise KeyError
