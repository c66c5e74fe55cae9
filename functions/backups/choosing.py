"""Which files a state needs, by their names alone: what a folder's listing tells before reading.

What was read is judged afterwards (`functions.persistence.complete_set`); this only keeps programs
from reading what cannot count.
"""

from __future__ import annotations

from collections.abc import Iterable

from functions.persistence.file_names import LOG, SNAPSHOT, FileName, parse


def snapshots_in(names: Iterable[str]) -> list[FileName]:
    """Return the snapshots, the newest first."""
    return sorted(_of_kind(names, SNAPSHOT), key=lambda name: name.zxid, reverse=True)


def logs_behind(names: Iterable[str], start: int) -> list[FileName]:
    """Return the logs that may hold transactions newer than `start`, in their order.

    A log is named after its first transaction. So of those that begin at or before `start`, only
    the last one can reach beyond it, and not even that one if the next begins right behind.
    """
    logs = sorted(_of_kind(names, LOG), key=lambda name: name.zxid)
    newer = [log for log in logs if log.zxid > start]
    older = [log for log in logs if log.zxid <= start]
    is_next_right_behind = bool(newer) and newer[0].zxid == start + 1
    return newer if is_next_right_behind else [*older[-1:], *newer]


def _of_kind(names: Iterable[str], kind: str) -> list[FileName]:
    parsed = (parse(name) for name in names)
    return [name for name in parsed if name is not None and name.kind == kind]
