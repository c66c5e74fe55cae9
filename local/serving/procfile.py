"""The Procfile: which command each function runs, one `name: command` per line."""

from __future__ import annotations

from pathlib import Path


class BadProcfile(Exception):
    """The Procfile cannot be read; the text names the line."""


def parse(text: str) -> dict[str, str]:
    """Return the command of each name; raises BadProcfile."""
    commands: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, command = line.partition(":")
        if not colon or not name.strip() or not command.strip():
            raise BadProcfile(f"line {number} is not `name: command`: {line!r}")
        if name.strip() in commands:
            raise BadProcfile(f"line {number} names {name.strip()} a second time")
        commands[name.strip()] = command.strip()
    return commands


def read(path: Path) -> dict[str, str]:
    """Read the file anew each time: an edit holds for the next change of a service."""
    return parse(path.read_text()) if path.is_file() else {}
