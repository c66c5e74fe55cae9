"""The site has every page, and needs nobody else's host; `make docs` checks its links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SITE: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
# Added by docs/site/links.py, by their file names.
BY_THEMSELVES = "decisions/"


def _pages(nav: object) -> Iterator[str]:
    match nav:
        case str():
            yield nav
        case list():
            for entry in nav:
                yield from _pages(entry)
        case dict():
            for entry in nav.values():
                yield from _pages(entry)
        case _:
            raise AssertionError(f"{nav!r} is no entry of a navigation")


def test_every_page_is_in_the_navigation_and_every_entry_has_a_page() -> None:
    written = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    wanted = sorted(page for page in written if not page.startswith(BY_THEMSELVES))
    assert wanted == sorted(_pages(SITE["nav"])), "name each page once in mkdocs.yml"


def test_nothing_of_the_site_is_fetched_from_another_host() -> None:
    assert SITE["theme"]["name"] == "mkdocs", "a theme that brings its fonts and scripts along"
    assert SITE["theme"]["highlightjs"] is False
    assert not {"extra_css", "extra_javascript", "site_url"} & set(SITE)
    pages = "".join(page.read_text() for page in DOCS.rglob("*.md"))
    assert re.findall(r"!\[[^]]*\]\(https?:[^)]*\)|<(?:script|iframe|img)[^>]*>", pages) == []


def test_a_link_that_leads_nowhere_fails_the_build() -> None:
    assert SITE["strict"] is True
    assert set(SITE["validation"]["links"].values()) == {"warn"}
