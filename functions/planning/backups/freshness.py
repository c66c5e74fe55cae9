"""Whether the newest backup of a schedule is as young as the schedule promises."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from functions.api.backup import Record, ZooKeeperBackup
from functions.planning.backups.cron import fires_between, parse_schedule
from functions.planning.backups.runs import time_of
from functions.planning.status import Wanted

RECENT = "Recent"
# A run that was due this little ago has hardly begun.
STARTING = timedelta(minutes=1)


def recent(backup: ZooKeeperBackup, known: Sequence[Record], now: datetime, zone: tzinfo) -> Wanted:
    """Return the condition Recent: False once two runs in a row brought no backup."""
    newest = known[-1] if known else None
    finished = (newest.finish_time if newest is not None else None) or backup.status.last_success
    since = time_of(finished) or time_of(backup.metadata.creation_timestamp)
    # Where several runs are late by the time one takes, none is missing.
    grace = STARTING + 2 * _duration(newest)
    if since is not None and _missed(backup, since, now - grace, zone):
        return Wanted(RECENT, "False", "TooOld", _too_old(backup, finished))
    if finished is None:
        return Wanted(RECENT, "False", "NoBackupYet", "There is no backup yet.")
    return Wanted(RECENT, "True", "AsScheduled", f"The newest backup is of {finished}.")


def _too_old(backup: ZooKeeperBackup, finished: str | None) -> str:
    age = f"The newest backup is of {finished}" if finished else "There is no backup"
    why = "spec.suspend is set" if backup.spec.suspend else "the message of status says why"
    return f"{age}: {backup.spec.schedule} was due twice since then; {why}."


def _missed(backup: ZooKeeperBackup, since: datetime, until: datetime, zone: tzinfo) -> bool:
    schedule = parse_schedule(backup.spec.schedule or "")
    return schedule is not None and fires_between(schedule, since, until, zone) >= 2


def _duration(newest: Record | None) -> timedelta:
    begun = time_of(newest.start_time) if newest is not None else None
    ended = time_of(newest.finish_time) if newest is not None else None
    if begun is None or ended is None:
        return timedelta()
    return max(ended.astimezone(UTC) - begun.astimezone(UTC), timedelta())
