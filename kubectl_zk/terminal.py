"""What is written where: results to the standard output, how far something is as lines or a bar.

On a terminal what takes long draws one bar that moves; elsewhere it is plain lines, one for each
change, so that a log of it can be read.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO

FORMAT_VERSION = 1
WIDEST, PIPE_WIDTH = 120, 80
BAR = 24
_CLEAR = "\r\x1b[K"


@dataclass(slots=True)
class Terminal:
    """`is_json`: the standard output is for a program, and what a person reads goes beside it."""

    out: TextIO
    beside: TextIO
    is_json: bool = False
    width: int = PIPE_WIDTH
    answer: Callable[[], str | None] | None = None
    _said: set[str] = field(default_factory=set)
    _has_bar: bool = False

    def show(self, text: str) -> None:
        """Write a result."""
        self._end_bar()
        self.out.write(f"{text}\n")
        self.out.flush()

    def show_json(self, told: dict[str, Any]) -> None:
        """Write a result for a program; `version` counts the changes that break readers."""
        self.out.write(json.dumps({"version": FORMAT_VERSION, **told}, indent=2) + "\n")
        self.out.flush()

    def say(self, line: str) -> None:
        """Say what goes on."""
        self._end_bar()
        stream = self.beside if self.is_json else self.out
        stream.write(f"{line}\n")
        stream.flush()

    def say_once(self, line: str) -> None:
        """Say it unless it was said before."""
        if line not in self._said:
            self._said.add(line)
            self.say(line)

    def move_bar(self, share: float | None, text: str) -> None:
        """Draw how far it is (None: nobody knows), on a terminal only."""
        if not self._draws:
            return
        line = text if share is None else f"{_bar(share)} {share:4.0%}  {text}"
        self.beside.write(f"{_CLEAR}{line[: self.width - 1]}")
        self.beside.flush()
        self._has_bar = True

    def ask(self, question: str) -> bool | None:
        """Ask for a yes; None when nobody is there to answer."""
        if self.answer is None:
            return None
        self._end_bar()
        self.beside.write(f"{question} [y/N] ")
        self.beside.flush()
        return (self.answer() or "").strip().lower() in ("y", "yes")

    @property
    def _draws(self) -> bool:
        return self.beside.isatty()

    def _end_bar(self) -> None:
        if self._has_bar:
            self.beside.write(_CLEAR)
            self._has_bar = False


def _bar(share: float) -> str:
    full = round(min(max(share, 0.0), 1.0) * BAR)
    return f"[{'#' * full}{'.' * (BAR - full)}]"


def connected(out: TextIO, beside: TextIO, source: TextIO, *, is_json: bool) -> Terminal:
    """Return the terminal this process was started from, or the pipes in its place."""
    columns = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns if out.isatty() else PIPE_WIDTH
    answer = source.readline if source.isatty() else None
    return Terminal(out, beside, is_json, min(columns, WIDEST), answer)
