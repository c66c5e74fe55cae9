"""Which files make one complete state: a snapshot, and the logs from it on without a gap.

Pure: it judges what was read from the files before (`summarize_snapshot`, `summarize`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from functions.persistence.file_names import FileName
from functions.persistence.log_end import Ending
from functions.persistence.log_summary import LogSummary
from functions.persistence.snapshot_summary import SnapshotSummary
from functions.persistence.zxid import follows


@dataclass(frozen=True, slots=True)
class ReadLog:
    name: FileName
    summary: LogSummary

    @property
    def last(self) -> int:
        """The newest transaction; 0 if there is none."""
        return max((run.last for run in self.summary.runs), default=0)


@dataclass(frozen=True, slots=True)
class ReadSnapshot:
    """A snapshot that was read to its end: a damaged one is no candidate."""

    name: FileName
    summary: SnapshotSummary

    @property
    def reaches(self) -> int:
        """The transaction up to which logs are needed (`SnapshotSummary.reaches`)."""
        return self.summary.reaches(self.name.zxid)


@dataclass(frozen=True, slots=True)
class Gap:
    """Transactions that are missing, or may be: those behind `after` and before `before`.

    `before` is None where the files end; `file` is the one to look at.
    """

    after: int
    before: int | None
    file: str
    reason: str

    def __str__(self) -> str:
        until = "" if self.before is None else f" and before {self.before:#x}"
        return f"{self.file}: {self.reason} (behind {self.after:#x}{until})"


@dataclass(frozen=True, slots=True)
class CompleteSet:
    """The files to copy, logs in order, and what they lack; `zxid` is the last transaction."""

    snapshot: FileName | None
    logs: tuple[FileName, ...]
    zxid: int
    gaps: tuple[Gap, ...]

    @property
    def is_complete(self) -> bool:
        return self.snapshot is not None and not self.gaps


def complete_set(snapshots: Iterable[ReadSnapshot], logs: Iterable[ReadLog]) -> CompleteSet:
    """Return the newest snapshot with the logs it needs, or the nearest to it and what it lacks.

    An older snapshot serves where the newest was still being written when the logs end.
    """
    ordered = sorted(logs, key=lambda log: log.name.zxid)
    newest_first = sorted(snapshots, key=lambda snapshot: snapshot.name.zxid, reverse=True)
    sets = [_set_of(snapshot, ordered) for snapshot in newest_first]
    nothing = CompleteSet(None, (), 0, ())
    return next((found for found in sets if found.is_complete), sets[0] if sets else nothing)


def _set_of(snapshot: ReadSnapshot, logs: Sequence[ReadLog]) -> CompleteSet:
    start = snapshot.name.zxid
    needed = [log for log in logs if log.last > start or _hides_newer(log, start, logs)]
    zxid = max([start, *(log.last for log in needed)])
    gaps = list(_gaps(start, needed))
    if zxid < snapshot.reaches:
        reason = f"it holds changes up to {snapshot.reaches:#x}, and no log does"
        gaps.append(Gap(zxid, None, snapshot.name.text, reason))
    # A log without a transaction is no part of a state, and a server would not start from one.
    names = tuple(log.name for log in needed if log.summary.runs)
    return CompleteSet(snapshot.name, names, zxid, tuple(gaps))


def _hides_newer(log: ReadLog, start: int, logs: Sequence[ReadLog]) -> bool:
    """Say whether damage hides transactions of `log` that would be newer than `start`."""
    later = [other.name.zxid for other in logs if other.name.zxid > log.name.zxid]
    return _is_damaged(log) and (not later or min(later) > start + 1)


def _is_damaged(log: ReadLog) -> bool:
    return log.summary.end is not None and log.summary.end.ending is Ending.DAMAGED


def _gaps(start: int, logs: Iterable[ReadLog]) -> Iterator[Gap]:
    reached, is_first = start, True
    for log in logs:
        name, runs = log.name.text, log.summary.runs
        if runs and runs[0].first != log.name.zxid:
            # Servers choose logs by their names.
            yield Gap(reached, runs[0].first, name, "its name is not its first transaction's")
        for run in runs:
            if is_first and run.last <= start:
                continue  # From before the snapshot.
            holds_start = is_first and run.first <= start
            if not holds_start and run.first <= reached:
                yield Gap(reached, run.first, name, "transactions come again")
            elif not holds_start and not follows(run.first, reached):
                yield Gap(reached, run.first, name, "transactions are missing before these")
            reached, is_first = run.last, False
        if _is_damaged(log):
            yield Gap(max(reached, log.last), None, name, _damage(log))


def _damage(log: ReadLog) -> str:
    offset = log.summary.end.offset if log.summary.end else 0
    return f"it is damaged at byte {offset}"
