"""The arithmetic of the benchmarks, and what they count as a process's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from benchmarks.figures import Figure, table
from benchmarks.processes import memory_of_tree, processor_seconds_of_tree, tree

SECONDS = 30
# A parent and a child that both hold 50 MiB of their own.
HOLD = "bytearray(b'x' * (50 << 20))"
PAIR = f"""
import subprocess, sys, time
held = {HOLD}
child = subprocess.Popen([sys.executable, "-c", "held = {HOLD}; print(flush=True); input()"],
                         stdin=subprocess.PIPE)
input()
"""


@pytest.fixture
def pair() -> Iterator[int]:
    """A process whose child has said that it is ready."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PAIR],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        yield parent.pid
        os.killpg(parent.pid, signal.SIGKILL)


def figure(name: str, *samples: float, baseline: tuple[float, ...] = (1.0, 2.0, 4.0)) -> Figure:
    return Figure("Speed", name, "s", samples, baseline)


def test_a_ratio_is_taken_within_its_round() -> None:
    assert figure("ours", 2.0, 4.0, 8.0).ratios == [2.0, 2.0, 2.0]


def test_rounds_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 1"):
        assert figure("ours", 2.0, 4.0).ratios


def test_the_table_shows_median_and_range_below_one_heading() -> None:
    lines = table([figure("empty", 1.0, 2.0, 4.0), figure("ours", 3.0, 2.0, 40.0)]).splitlines()
    assert lines[0] == "Speed, s"
    assert lines[2].split() == ["empty", "2.00", "(1.00-4.00)", "1.00", "(1.00-1.00)"]
    assert lines[3].split() == ["ours", "3.00", "(2.00-40.00)", "3.00", "(1.00-10.00)"]
    assert len(lines) == 4


def test_json_keeps_every_sample() -> None:
    found = figure("ours", 2.0, 4.0, 8.0).as_json()
    assert found["samples"] == [2.0, 4.0, 8.0]
    assert found["ratios"] == [2.0, 2.0, 2.0]


def test_the_memory_of_a_process_includes_its_children(pair: int) -> None:
    assert len(tree(pair)) == 2
    memory = memory_of_tree(pair)
    assert 100 < memory.pss <= memory.rss < 200


def test_processor_time_is_counted_for_the_whole_tree(pair: int) -> None:
    own = processor_seconds_of_tree(os.getpid())
    assert processor_seconds_of_tree(pair) > 0
    began, deadline = time.process_time(), time.monotonic() + SECONDS
    while time.process_time() - began < 0.2 and time.monotonic() < deadline:
        sum(range(1000))
    assert processor_seconds_of_tree(os.getpid()) >= own + 0.15


def test_a_process_that_is_gone_takes_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait(SECONDS)
    assert memory_of_tree(gone.pid).rss == 0
    assert processor_seconds_of_tree(gone.pid) == 0
