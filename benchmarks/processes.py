"""What a process and all it started took of the machine, as the kernel counts it."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MIB = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """In MiB. RSS counts a page once for each process, PSS divides it among those that share it."""

    rss: float
    pss: float


def memory_of_tree(root: int) -> Memory:
    """Return the memory of `root` and of all processes below it, together."""
    found = [_fields(pid) for pid in tree(root)]
    return Memory(
        rss=sum(fields.get("Rss", 0) for fields in found) / MIB,
        pss=sum(fields.get("Pss", 0) for fields in found) / MIB,
    )


def processor_seconds_of_tree(root: int) -> float:
    """Return the processor time of `root` and of all processes below it, together."""
    return sum(_ticks(pid) for pid in tree(root)) / os.sysconf("SC_CLK_TCK")


def tree(root: int) -> list[int]:
    """Return `root` and all processes below it."""
    children = _children()
    found, at = [root], 0
    while at < len(found):
        found += children[found[at]]
        at += 1
    return found


def _children() -> dict[int, list[int]]:
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # It ended while we looked.
                children[int(_stat(int(entry.name))[1])].append(int(entry.name))
    return children


def _stat(pid: int) -> list[str]:
    """Return the fields after the program's name, which is in brackets and may contain anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _ticks(pid: int) -> int:
    """Return its own time, for users and in the kernel, and that of what it has waited for."""
    try:
        return sum(int(each) for each in _stat(pid)[11:15])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _fields(pid: int) -> dict[str, int]:
    """Return the kernel's sums in KiB; nothing for a process that ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
