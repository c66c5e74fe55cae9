"""Times, sizes, tables and bars as `kubectl zk` writes them."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest

from kubectl_zk.following import phase_of, share_of
from kubectl_zk.terminal import Terminal
from kubectl_zk.words import lasted, sized, table


@pytest.mark.parametrize(
    ("span", "said"),
    [
        ({"seconds": -3}, "0s"),
        ({"seconds": 45.9}, "45s"),
        ({"minutes": 3, "seconds": 12}, "3m12s"),
        ({"minutes": 3}, "3m"),
        ({"minutes": 12, "seconds": 12}, "12m"),
        ({"hours": 2, "minutes": 5, "seconds": 7}, "2h5m"),
        ({"days": 40, "hours": 3}, "40d"),
    ],
    ids=str,
)
def test_a_span_is_said_by_its_largest_units(span: dict[str, float], said: str) -> None:
    assert lasted(timedelta(**span)) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1234567, "1.2 MB")],
    ids=str,
)
def test_a_size_has_its_unit(count: int | None, said: str) -> None:
    assert sized(count) == said


def test_columns_are_as_wide_as_what_is_in_them() -> None:
    assert table(("A", "LONG"), [("aaaa", "b"), ("a", "bb")]) == [
        "A     LONG",
        "aaaa  b",
        "a     bb",
    ]


@pytest.mark.parametrize(
    ("progress", "share", "phase"),
    [
        ("50 of 200 bytes (copying)", 0.25, "copying"),
        ("0 of 0 bytes (copying)", None, "copying"),
        ("soon", None, ""),
        (None, None, ""),
    ],
    ids=["half-way", "nothing-known-yet", "other-words", "nothing"],
)
def test_progress_in_status_is_understood(
    progress: str | None, share: float | None, phase: str
) -> None:
    assert (share_of(progress), phase_of(progress)) == (share, phase)


class Screen(io.StringIO):
    """A terminal that people look at."""

    def isatty(self) -> bool:
        return True


def test_a_bar_moves_on_a_terminal_and_leaves_no_trace() -> None:
    out, beside = io.StringIO(), Screen()
    terminal = Terminal(out, beside, width=60)
    terminal.move_bar(0.5, "copying " + "x" * 80)
    drawn = beside.getvalue().rpartition("\x1b[K")[2]
    assert drawn.startswith("[############............]  50%  copying xxx")
    assert len(drawn) < 60
    terminal.move_bar(None, "12s  starting")
    assert beside.getvalue().endswith("\x1b[K12s  starting")
    terminal.say("done")
    assert beside.getvalue().endswith("\r\x1b[K")
    assert out.getvalue() == "done\n"


def test_there_is_no_bar_in_a_pipe() -> None:
    out, beside = io.StringIO(), io.StringIO()
    terminal = Terminal(out, beside)
    terminal.move_bar(0.5, "copying")
    terminal.say_once("half")
    terminal.say_once("half")
    assert (out.getvalue(), beside.getvalue()) == ("half\n", "")


def test_a_program_reads_the_result_alone() -> None:
    out, beside = io.StringIO(), io.StringIO()
    terminal = Terminal(out, beside, is_json=True)
    terminal.say("begun")
    terminal.show_json({"roll": {}})
    assert beside.getvalue() == "begun\n"
    assert out.getvalue() == '{\n  "version": 1,\n  "roll": {}\n}\n'
