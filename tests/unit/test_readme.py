"""The pages' links lead somewhere, and the README's command without a cluster works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from functions.__main__ import main

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def test_every_promise_of_the_readme_names_the_test_or_benchmark_behind_it() -> None:
    page = (ROOT / "README.md").read_text()
    _, _, table = page.partition("| promise | tested by |\n|---|---|\n")
    rows = table[: table.index("\n\n")].splitlines()
    assert len(rows) > 8
    proof = re.compile(r"\]\((?:tests|benchmarks)/[^)]+\)")
    assert [row for row in rows if not proof.search(row.split(" | ")[-1])] == []


def test_the_render_command_of_the_readme_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "README.md").read_text()
    (command,) = re.findall(r"^\.venv/bin/python -m functions (render .+)$", page, re.MULTILINE)
    assert main(shlex.split(command)) == 0
    assert "# announce Normal CreationStarted" in capsys.readouterr().out
