"""Whether a backup needs to be looked at again: what `resync` sends events for.

Settled means that its conditions are of the present spec, that no run is under way or unread, and
that time changes nothing: the newest backup is as young as it should be, and none is too old.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from functions.api.backup import ZooKeeperBackup
from functions.api.manifest import Manifest
from functions.planning.backups.freshness import RECENT, recent
from functions.planning.backups.report import COMPLETED, SCHEDULED
from functions.planning.backups.retention import expired
from functions.planning.backups.runs import begun
from functions.planning.status import seen_condition


def unsettled_backup(
    backup: ZooKeeperBackup, cron_job: Manifest | None, now: datetime, zone: tzinfo
) -> str:
    """Return why the backup should be looked at, or an empty string when it is settled."""
    if backup.metadata.deletion_timestamp is not None:
        return ""  # Garbage collection does the rest.
    if _is_refused(backup):
        return ""
    if reason := _conditions(backup):
        return reason
    if backup.spec.is_scheduled:
        return _runs(backup, cron_job) or _time(backup, now, zone)
    word = backup.status.status
    return "" if word in ("completed", "failed") else f"it is {word}"


def _conditions(backup: ZooKeeperBackup) -> str:
    for kind in (COMPLETED, SCHEDULED):
        seen = seen_condition(backup, kind)
        if seen is None or seen.observed_generation != backup.metadata.generation:
            return f"condition {kind} is missing, or older than the spec"
    scheduled = seen_condition(backup, SCHEDULED)
    assert scheduled is not None, "looked at above"
    if scheduled.status != "True" and scheduled.reason != "Suspended":
        return f"condition {SCHEDULED} is {scheduled.status}: {scheduled.reason}"
    return ""


def _is_refused(backup: ZooKeeperBackup) -> bool:
    """Whether the API server will not have what the spec asks for: only an edit changes that."""
    scheduled = seen_condition(backup, SCHEDULED)
    return (
        scheduled is not None
        and scheduled.reason == "InvalidSpec"
        and scheduled.observed_generation == backup.metadata.generation
    )


def _runs(backup: ZooKeeperBackup, cron_job: Manifest | None) -> str:
    if cron_job is None:
        return "the CronJob is missing"
    status = cron_job.get("status", {})
    is_running = backup.status.status == "running"
    if is_running or status.get("active"):
        return "a run is under way"
    begun_at, ended_at = status.get("lastScheduleTime"), status.get("lastSuccessfulTime")
    if not begun_at or not ended_at or ended_at < begun_at:
        return ""
    newest = max((begun(record) for record in backup.status.record), default="")
    return "" if newest >= begun_at else "a run is not on record"


def _time(backup: ZooKeeperBackup, now: datetime, zone: tzinfo) -> str:
    known, seen = backup.status.record, seen_condition(backup, RECENT)
    if expired(known, backup.spec.retention, (), now):
        return "a backup is no longer kept"
    status = recent(backup, known, now, zone).status
    return "" if seen is not None and seen.status == status else "the newest backup grew old"
