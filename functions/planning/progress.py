"""How far a program in a Job's pod is, and when that is worth a write."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A twentieth of all: so many writes at most for each phase, however often somebody looks.
STEP = 0.05
_TOLD = re.compile(r"([0-9]+) of ([0-9]+) bytes \((.*)\)")


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes done of bytes, in a phase that has a name."""

    done: int
    total: int
    phase: str

    def __str__(self) -> str:
        return f"{self.done} of {self.total} bytes ({self.phase})"


def told_progress(seen: str | None, now: Progress | None) -> str | None:
    """Return what status should say: what it says, until enough has changed."""
    if now is None:
        return seen
    before = _parsed(seen or "")
    return seen if before is not None and _is_near(before, now) else str(now)


def _is_near(before: Progress, now: Progress) -> bool:
    if before.phase != now.phase or before.done > now.done:
        return False
    is_just_done = now.done >= now.total > before.done
    return not is_just_done and now.done - before.done < STEP * max(before.total, now.total, 1)


def _parsed(text: str) -> Progress | None:
    found = _TOLD.fullmatch(text)
    return Progress(int(found[1]), int(found[2]), found[3]) if found is not None else None
