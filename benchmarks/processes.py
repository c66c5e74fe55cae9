"""What a process and all it started took of the machine, as the kernel counts it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Mapping
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
    found = [memory_of(pid) for pid in tree(root)]
    return Memory(rss=sum(each.rss for each in found), pss=sum(each.pss for each in found))


def memory_of(pid: int) -> Memory:
    """Return the memory of one process; none for one that ended."""
    fields = _fields(pid)
    return Memory(rss=fields.get("Rss", 0) / MIB, pss=fields.get("Pss", 0) / MIB)


def memory_together(pids: Collection[int]) -> float:
    """Return what processes that share most of their pages hold, in MiB, by themselves.

    Each one's own pages, and the shared ones of that which has most of them: no less than if
    nobody else on the machine ran the same programs.
    """
    found = [_fields(pid) for pid in pids]
    own = sum(_sum_of(fields, "Private") for fields in found)
    return (own + max((_sum_of(fields, "Shared") for fields in found), default=0)) / MIB


def processor_seconds_of_tree(root: int) -> float:
    """Return the processor time of `root` and of all processes below it, together."""
    return sum(processor_seconds_of(pid) for pid in tree(root))


def processor_seconds_of(pid: int) -> float:
    """Return the processor time of one process and of what it has waited for; 0 if it ended."""
    return _ticks(pid) / os.sysconf("SC_CLK_TCK")


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


def _sum_of(fields: Mapping[str, int], kind: str) -> int:
    return fields.get(f"{kind}_Clean", 0) + fields.get(f"{kind}_Dirty", 0)


def _fields(pid: int) -> dict[str, int]:
    """Return the kernel's sums in KiB; nothing for a process that ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
