"""Every command in the documentation is run by a test, or says above it why it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import pages
from tests.pages import ROOT, RUN_BY

WITH_COMMANDS = {str(page.relative_to(ROOT)) for page in pages.pages() if pages.commands(page)}


def test_every_page_with_commands_has_a_test_that_runs_them() -> None:
    missing = sorted(WITH_COMMANDS - set(RUN_BY))
    assert missing == [], "add each to RUN_BY of tests/pages.py with the test that runs it"


def test_no_test_is_named_for_a_page_without_commands() -> None:
    assert sorted(set(RUN_BY) - WITH_COMMANDS) == []


@pytest.mark.parametrize("page", sorted(RUN_BY))
def test_the_test_that_is_named_reads_the_page(page: str) -> None:
    for test in RUN_BY[page]:
        assert Path(page).name in (ROOT / test).read_text(), f"{test} does not read {page}"


def test_blocks_are_told_from_what_is_only_shown(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One\n```\nkubectl get pods\n\n```\n## Two\n1. So:\n\n   ```sh\n   ls\n   ```\n"
        "```text\nNAME\n```\n<!-- not run: it needs a cluster of somebody -->\n```\nrm -rf x\n```\n"
    )
    assert [(b.heading, b.commands, b.is_run) for b in pages.blocks(page)] == [
        ("One", ("kubectl get pods",), True),
        ("Two", ("ls",), True),
        ("Two", ("rm -rf x",), False),
    ]
    assert pages.commands(page) == ["kubectl get pods", "ls"]
