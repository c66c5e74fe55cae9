"""The commands of the documentation, and which test runs those of which page.

A block of commands is fenced without a language or as `sh`; what is only shown has another one
(`text`, `yaml`, `python`). A block that no test can run says why, right above it:
`<!-- not run: why -->`.
"""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(
    r"(?:^ *<!-- not run: (?P<why>[^>]+) -->\n)?"
    r"^ *```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

# Page to the tests that run its commands, each of them from the page itself.
RUN_BY: Mapping[str, tuple[str, ...]] = {
    "README.md": (
        "tests/system/test_newcomer.py",
        "tests/system/test_operation_pages.py",
        "tests/unit/test_readme.py",
    ),
    "docs/agent.md": ("tests/system/test_agent_page.py",),
    "docs/kubectl-zk.md": ("tests/system/test_plugin.py",),
    "docs/operations/backup.md": ("tests/system/test_backup_manual.py",),
    "docs/operations/install.md": (
        "tests/system/test_install.py",
        "tests/contract/test_overlays.py",
        "tests/contract/built_image.py",
    ),
    "docs/operations/uninstall.md": (
        "tests/contract/test_install_pages.py",
        "tests/system/test_install.py",
    ),
    "docs/operations/upgrade.md": (
        "tests/contract/test_install_pages.py",
        "tests/system/test_install.py",
    ),
    "docs/operations/tls.md": ("tests/system/test_cluster_tls.py",),
    "docs/operations/users.md": ("tests/system/test_cluster_users.py",),
    **{
        page: ("tests/system/test_operation_pages.py",)
        for page in (
            "docs/conditions.md",
            "docs/failures.md",
            "docs/functions.md",
            "docs/local.md",
            "docs/operations/connect.md",
            "docs/operations/delete.md",
            "docs/operations/drain.md",
            "docs/operations/full-disk.md",
            "docs/operations/lost-disk.md",
            "docs/operations/lost-majority.md",
            "docs/operations/monitoring.md",
            "docs/operations/roll.md",
            "docs/operations/scale.md",
            "docs/operations/spread.md",
            "docs/operations/stop-and-wake.md",
            "docs/operations/upgrade-zookeeper.md",
            "docs/security.md",
        )
    },
}


@dataclass(frozen=True, slots=True)
class Block:
    """The commands of one block, under the heading it stands below."""

    heading: str
    commands: tuple[str, ...]
    not_run: str

    @property
    def is_run(self) -> bool:
        return not self.not_run


def pages() -> list[Path]:
    return sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of commands of a page, in their order."""
    text = page.read_text()
    for found in _FENCE.finditer(text):
        if found["language"] in ("", "sh", "bash", "shell", "console"):
            headings = _HEADING.findall(text[: found.start()])
            lines = textwrap.dedent(found["text"]).splitlines()
            commands = tuple(line for line in lines if line.strip())
            yield Block(headings[-1] if headings else "", commands, found["why"] or "")


def commands(page: Path, heading: str = "") -> list[str]:
    """Return the commands of a page that a test runs, or those below one heading."""
    found = [block for block in blocks(page) if block.is_run]
    below = [block for block in found if not heading or block.heading == heading]
    return [command for block in below for command in block.commands]


def shown(page: Path, language: str) -> list[str]:
    """Return what a page shows in a language, such as the manifests (`yaml`) it offers."""
    found = _FENCE.finditer(page.read_text())
    return [textwrap.dedent(block["text"]) for block in found if block["language"] == language]


def run(*commands: str, variables: Mapping[str, str], seconds: float, input: str = "") -> str:
    """Run the commands in one shell, up to the first that fails; return what they printed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
        env={**os.environ, **variables},
        cwd=ROOT,
        input=input,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{commands}: {done.stdout}{done.stderr}"
    return done.stdout
