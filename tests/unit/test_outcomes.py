"""What a long run shows: a line when a scenario is over, and one table with the totals."""

from __future__ import annotations

import subprocess
import sys
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest

from local.platform.handle import Platform
from tests.outcomes import Outcome, table
from tests.system.conftest import keep_logs

ROOT = Path(__file__).parents[2]
SECONDS = 60
GROWN = Outcome("3-5-3", 6674, 3, 1.013, 1, 0)
# A scenario of its own: it tells an outcome as the writer does, and prints a figure.
SCENARIO = """
import pytest
from tests.outcomes import Outcome, tell

pytestmark = pytest.mark.soak

def test_grows():
    tell(Outcome("3-5-3", 6674, 3, 1.013, 1, 0))
    print("ratio 1.20")

def test_fails():
    tell(Outcome("a roll", 120, 4, 14.5, 2, None))
    raise AssertionError
"""


def test_the_line_of_a_scenario_says_what_its_clients_saw() -> None:
    told = "3-5-3: 6674 acknowledged, 3 errors, longest gap 1.01 s, 1 elections, lost 0"
    assert str(GROWN) == told


def test_the_table_has_a_row_for_each_scenario_by_file_and_the_totals() -> None:
    killed = Outcome("killed", 20, 5, 15.5, 2, 1)
    assert table([("test_b.py", GROWN), ("test_a.py", killed), ("test_b.py", killed)]) == [
        "               acknowledged  errors  longest gap  elections  lost",
        "test_a.py",
        "  killed                 20       5      15.50 s          2     1",
        "test_b.py",
        "  3-5-3                6674       3       1.01 s          1     0",
        "  killed                 20       5      15.50 s          2     1",
        "3 scenarios            6714      13      15.50 s          5     2",
    ]


def test_what_was_not_read_back_is_not_called_kept() -> None:
    unread = replace(GROWN, lost=None)
    assert str(unread).endswith("lost not read")
    assert table([("test_a.py", unread)])[-1].startswith("1 scenarios, 1 of them not read back")


@pytest.mark.parametrize("failed", [0, 1])
def test_the_logs_of_a_platform_stay_when_a_test_failed(
    tmp_path: Path, request: pytest.FixtureRequest, failed: int
) -> None:
    logs = tmp_path / "platform/logs"
    logs.mkdir(parents=True)
    (logs / "node.log").write_text("said")
    session = copy(request.session)
    session.testsfailed = failed
    keep_logs(Platform(tmp_path / "platform"), session)
    assert (tmp_path / "logs-of-platform/node.log").exists() == bool(failed)


@pytest.mark.soak
def test_outcomes_reach_the_terminal_from_other_processes(tmp_path: Path) -> None:
    scenario = tmp_path / "test_scenario.py"
    scenario.write_text(SCENARIO)
    options = ("-q", "-n", "1", "-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml"))
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(scenario)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    shown = ran.stdout.splitlines()
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert str(GROWN) in shown
    assert "ratio 1.20" in shown
    *_, rolled, total = (line for line in shown if "14.50 s" in line)
    assert rolled.split() == ["a", "roll", "120", "4", "14.50", "s", "2", "not", "read"]
    assert total.startswith("2 scenarios, 1 of them not read back")
