"""What the site needs beyond the pages: the decision records, and the files that pages link to.

The pages link to manifests, tests and code beside docs/, which is right for a reader of the
repository. The site takes such a file along as text below source/, so that its links lead
somewhere too and the build finds those that do not.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
SOURCE = "source"


def on_config(config: Any) -> Any:
    """Append the decision records to the navigation, in the order of their numbers."""
    records = sorted((DOCS / "decisions").glob("*.md"))
    pages = [{_title(record): f"decisions/{record.name}"} for record in records]
    config.nav = [*config.nav, {"Decisions": pages}]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add every file outside docs/ that a page links to."""
    linked = {path for page in DOCS.rglob("*.md") for path in _outside(page)}
    for path in sorted(linked):
        if path.is_file():
            taken = File.generated(config, _place(path), abs_src_path=str(path))
            files.append(taken)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point the links that leave docs/ to the files that were taken along."""
    source = DOCS / page.file.src_uri

    def moved(link: re.Match[str]) -> str:
        path = _outside_of(source, link[1])
        if path is None or not path.is_file():
            return link[0]
        return "](" + os.path.relpath(DOCS / _place(path), source.parent)

    return LINK.sub(moved, markdown)


def _outside(page: Path) -> list[Path]:
    found = (_outside_of(page, link) for link in LINK.findall(page.read_text()))
    return [path for path in found if path is not None]


def _outside_of(page: Path, link: str) -> Path | None:
    """Return the file that a link leads to, if it is in the repository and not below docs/."""
    path = (page.parent / link).resolve()
    is_ours = path.is_relative_to(ROOT) and not path.is_relative_to(DOCS)
    return path if is_ours else None


def _place(path: Path) -> str:
    return f"{SOURCE}/{path.relative_to(ROOT)}.txt"


def _title(record: Path) -> str:
    first = record.read_text().splitlines()[0]
    return f"{record.name[:4]} {first.removeprefix('# ').strip()}"
