"""docs/conditions.md explains every condition, reason and Event that the code can say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/conditions.md").read_text()
SPEAKING = ("functions/planning", "functions/runtime")
WORD = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")

# Words of that shape that nobody is told as a reason: Kubernetes' own, the steps on record in
# `status.operation` and `status.step`, and what statuses and types of Events are called.
_KUBERNETES = (
    "Complete ContainerCreating DeadlineExceeded Delete Error List Normal PodInitializing "
    "PodScheduled Ready Running StatefulSet Succeeded Unschedulable Warning"
)
_STEPS = (
    "AddMember CorrectList LetVote Recover RemoveMember RemoveVolumes ReplacePod Restore Roll "
    "RunServers Scale "
    "Arm CleanUp Done Open Stage Start StartBack Stop StopBack Validate Verify Wait"
)
NOT_A_REASON = frozenset([*_KUBERNETES.split(), *_STEPS.split(), "ZooKeeper"])


def _said() -> set[str]:
    """Return every word of a reason's shape in the code that makes conditions and Events."""
    modules = [path for folder in SPEAKING for path in (ROOT / folder).rglob("*.py")]
    modules += (ROOT / "functions").glob("*.py")
    return {word for module in modules for word in _words(module)} - NOT_A_REASON


def _words(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and WORD.fullmatch(value):
            yield value


def _explained() -> set[str]:
    """Return the headings that name a condition, the statuses and reasons of the tables."""
    types = re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)
    statuses = re.findall(r"^\| (True|False|Unknown) \|", PAGE, re.MULTILINE)
    reasons = re.findall(r"^\|(?: (?:True|False|Unknown) \|)? `(\w+)` \|", PAGE, re.MULTILINE)
    return {*types, *statuses, *reasons}


def test_every_reason_that_the_code_can_say_is_explained() -> None:
    missing = sorted(_said() - _explained())
    assert missing == [], "give each a line in docs/conditions.md (or a place in NOT_A_REASON)"


def test_nothing_is_explained_that_the_code_does_not_say() -> None:
    assert sorted(_explained() - _said()) == []


def test_every_line_says_what_it_means_and_what_to_do() -> None:
    rows = [row for row in PAGE.splitlines() if re.match(r"\| .*`\w+` \|", row)]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert len(rows) > 100
    assert [row for row in cells if len(row) != 4 or not all(row)] == []
