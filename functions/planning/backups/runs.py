"""What the runs of a backup's Jobs came to: entries of `status.record`, and failures.

Invariant: an entry is made of a run that succeeded, once, and stays whatever becomes of its pod. A
failed run makes none (seed defects C2, C19, C27).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from functions.api.backup import Record, ZooKeeperBackup
from functions.manifests.backup_jobs import COPY_OUT, PRUNE, object_key
from functions.planning.backups.seen import Seen
from functions.planning.jobs import SeenJob, SeenRun
from functions.planning.seen import controller_uid

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_ZXID = re.compile(r"0x[0-9a-f]{1,16}")
LONGEST_TEXT = 1024


def copy_jobs(backup: ZooKeeperBackup, seen: Seen) -> tuple[SeenJob, ...]:
    """Return the Jobs that copy for this very backup, the oldest first: those made from its
    CronJob by hand, too.
    """
    owner = backup.metadata.uid
    if backup.spec.is_scheduled:
        found = seen.cron_job
        is_own = found is not None and controller_uid(found) == owner
        owner = found["metadata"]["uid"] if found is not None and is_own else ""
    return tuple(
        job for job in seen.jobs if owner and owner in job.owners and job.program == COPY_OUT
    )


def prune_jobs(backup: ZooKeeperBackup, jobs: Sequence[SeenJob]) -> tuple[SeenJob, ...]:
    """Return the Jobs that remove backups of this very one."""
    return tuple(
        job for job in jobs if job.controller == backup.metadata.uid and job.program == PRUNE
    )


def records(backup: ZooKeeperBackup, jobs: Sequence[SeenJob]) -> tuple[Record, ...]:
    """Return every backup there is, the oldest first: those on record, and those of new runs."""
    known = {record.key for record in backup.status.record}
    found = [_record(backup, run) for job in jobs if (run := job.succeeded) is not None]
    new = [record for record in found if record.key not in known]
    return tuple(sorted((*backup.status.record, *new), key=lambda it: (begun(it), it.key)))


def begun(record: Record) -> str:
    """Return when a backup was begun, as text that sorts by time."""
    return record.start_time or record.finish_time or ""


def key_of(backup: ZooKeeperBackup, run: SeenRun) -> str:
    """Return where a run's backup lies: our own word, not the program's."""
    return f"{object_key(backup)}/{run.name}"


def failed_since(
    backup: ZooKeeperBackup, jobs: Sequence[SeenJob], known: Sequence[Record]
) -> tuple[SeenJob, ...]:
    """Return the failed Jobs that were made after the last backup was begun, the oldest first."""
    last = begun(known[-1]) if known else backup.status.last_success or ""
    return tuple(
        job
        for job in jobs
        if job.state == "failed" and job.succeeded is None and job.created > last
    )


def unread_end(jobs: Sequence[SeenJob]) -> SeenJob | None:
    """Return a Job that is complete although the pod that said what came of it is gone."""
    return next((job for job in jobs if job.state == "complete" and job.succeeded is None), None)


def time_of(text: str | None) -> datetime | None:
    """Return a time in status as a value."""
    return datetime.fromisoformat(text) if text else None


def _record(backup: ZooKeeperBackup, run: SeenRun) -> Record:
    """Return the entry of a run. What the program said counts as far as it makes sense."""
    told = run.result or {}
    size = told.get("size")
    is_size = isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 1 << 63
    verified = told.get("verified")
    return Record(
        key=key_of(backup, run),
        start_time=_matching(_TIME, told.get("startTime")) or run.started or None,
        finish_time=_matching(_TIME, told.get("finishTime")) or run.finished or None,
        size=int(size or 0) if is_size else None,
        zxid=_matching(_ZXID, told.get("zxid")),
        server=_text(told.get("server")),
        version=_text(told.get("version")),
        checksum=_text(told.get("checksum")),
        verified=verified if isinstance(verified, bool) else None,
        message=_text(told.get("warning")),
    )


def _text(value: object) -> str | None:
    return value[:LONGEST_TEXT] if isinstance(value, str) and value else None


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    is_fit = isinstance(value, str) and pattern.fullmatch(value) is not None
    return str(value) if is_fit else None
