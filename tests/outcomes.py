"""What a run of the long scenarios found: a line when each is over, and one table at the end.

Tests run in processes of their own (`-n 2`), so what a writer saw goes with the test's report to
the process that owns the terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

PROPERTY = "outcome"
# Tests with these marks are waited for: what they print is shown at once, not only when they fail.
LONG = {"soak", "large"}
HEADINGS = ("acknowledged", "errors", "longest gap", "elections", "lost")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the clients of one scenario saw; `lost` is None when no server could be asked."""

    title: str
    acknowledged: int
    errors: int
    longest_gap: float
    elections: int
    lost: int | None

    def figures(self) -> tuple[str, ...]:
        return (
            str(self.acknowledged),
            str(self.errors),
            f"{self.longest_gap:.2f} s",
            str(self.elections),
            "not read" if self.lost is None else str(self.lost),
        )

    def __str__(self) -> str:
        acknowledged, errors, gap, elections, lost = self.figures()
        return (
            f"{self.title}: {acknowledged} acknowledged, {errors} errors, longest gap {gap}, "
            f"{elections} elections, lost {lost}"
        )


# A test process runs one test at a time.
_told: list[Outcome] = []


def tell(outcome: Outcome) -> None:
    """Have this outcome of the running test in the run's table."""
    _told.append(outcome)


def attach(report: pytest.TestReport) -> None:
    """Give the report what was told since the last one."""
    report.user_properties += [(PROPERTY, asdict(outcome)) for outcome in _told]
    _told.clear()


class Scoreboard:
    """Shows outcomes in the process that owns the terminal."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal
        self._found: list[tuple[str, Outcome]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        found = outcomes(report)
        self._found += [(Path(report.location[0]).name, outcome) for outcome in found]
        for line in (*map(str, found), *printed(report)):
            self._terminal.ensure_newline()
            self._terminal.write_line(line)

    def pytest_terminal_summary(self) -> None:
        if self._found:
            self._terminal.section("what the clients saw")
            self._terminal.write_line("\n".join(table(self._found)))


def outcomes(report: pytest.TestReport) -> list[Outcome]:
    properties: list[tuple[str, Any]] = report.user_properties
    return [Outcome(**found) for name, found in properties if name == PROPERTY]


def printed(report: pytest.TestReport) -> list[str]:
    """Return what a long test printed; pytest itself shows it of those that failed."""
    is_long = report.when == "call" and bool(LONG & set(report.keywords))
    return report.capstdout.splitlines() if is_long and report.passed else []


def table(found: Sequence[tuple[str, Outcome]]) -> list[str]:
    """Return a row for each outcome, by file, and their total."""
    total = _total([outcome for _, outcome in found])
    width = max(len(outcome.title) for outcome in (total, *(one for _, one in found))) + 2
    rows = [_row("", HEADINGS, width)]
    for file, of_file in groupby(sorted(found, key=lambda row: row[0]), key=lambda row: row[0]):
        rows += [file, *(_row(f"  {one.title}", one.figures(), width) for _, one in of_file)]
    return [*rows, _row(total.title, total.figures(), width)]


def _total(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the sums, and the longest of the gaps."""
    unread = sum(outcome.lost is None for outcome in outcomes)
    return Outcome(
        f"{len(outcomes)} scenarios" + (f", {unread} of them not read back" if unread else ""),
        sum(outcome.acknowledged for outcome in outcomes),
        sum(outcome.errors for outcome in outcomes),
        max(outcome.longest_gap for outcome in outcomes),
        sum(outcome.elections for outcome in outcomes),
        sum(outcome.lost or 0 for outcome in outcomes),
    )


def _row(title: str, figures: Sequence[str], width: int) -> str:
    columns = (figure.rjust(len(name)) for figure, name in zip(figures, HEADINGS, strict=True))
    return "  ".join((title.ljust(width), *columns))
