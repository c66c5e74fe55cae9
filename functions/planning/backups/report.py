"""What a ZooKeeperBackup says of itself: status, message, record, progress, conditions, Events.

`status` has the seed system's words. Invariant: a completed backup stays completed, and one that
was made once and failed stays failed until its spec is edited.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from functions.api.backup import Record, ZooKeeperBackup
from functions.manifests.backup_jobs import cron_job_name
from functions.manifests.pod_programs import is_seed_helper
from functions.planning.backups.freshness import RECENT, recent
from functions.planning.backups.objects import Objects, is_done
from functions.planning.backups.runs import copy_jobs, failed_since, records, unread_end
from functions.planning.backups.seen import MANAGER, Seen
from functions.planning.backups.source import NoSource, Source
from functions.planning.jobs import SeenJob
from functions.planning.progress import told_progress
from functions.planning.status import Slice, Wanted, has_turned, seen_condition, since, write_status
from functions.planning.steps import Announce, Plan

COMPLETED = "Completed"
SCHEDULED = "Scheduled"
CONDITIONS = frozenset({COMPLETED, SCHEDULED, RECENT})
FIELDS = (
    "status", "message", "record", "progress", "server", "lastSuccess", "failures",
    "observedGeneration",
)  # fmt: skip
# What a person asked for, or what passes by itself, is no warning.
QUIET = frozenset({"Suspended", "RestoreUnderWay", "NoServer", "ClusterStopped"})
FULL = (
    "The record has room for no more: what is older stays in the store, unlisted. Set "
    "spec.retention."
)
LONGEST_MESSAGE = 4096
# An object may have 1.5 MB in all; an entry has about half a kilobyte.
MOST_RECORDS = 1000


@dataclass(frozen=True, slots=True)
class State:
    """Everything a report is about; `kept` is the record as it is to be, `problem` retention's.

    `refused` is what was said of what is about to be tried again.
    """

    backup: ZooKeeperBackup
    seen: Seen
    source: Source | NoSource
    objects: Objects
    kept: tuple[Record, ...]
    problem: str
    refused: Wanted | None = None

    @property
    def jobs(self) -> tuple[SeenJob, ...]:
        return copy_jobs(self.backup, self.seen)

    @property
    def active(self) -> SeenJob | None:
        return next((job for job in reversed(self.jobs) if job.is_active), None)

    @property
    def failed(self) -> tuple[SeenJob, ...]:
        """The runs that failed since the last backup."""
        if not self.backup.spec.is_scheduled and self.kept:
            return ()
        return failed_since(self.backup, self.jobs, records(self.backup, self.jobs))


def report(state: State, now: datetime) -> Plan:
    """Return the Events and the status that tell how the backups are, or nothing."""
    conditions = _conditions(state, now)
    part = Slice(MANAGER, _fields(state, conditions), conditions, owned_types=CONDITIONS)
    written = write_status(state.backup, part, now)
    return (*_announcements(state, conditions), *written) if written else ()


def status_word(state: State) -> str:
    """Return `status.status`, in the seed system's words."""
    if state.backup.spec.is_scheduled:
        if state.active is not None:
            return "running"
        return "suspend" if state.backup.spec.suspend else "pending"
    if _is_complete(state):
        return "completed"
    if state.active is not None:
        return "running" if _has_run(state.active) else "pending"
    return "failed" if is_done(state.backup, state.seen) else "pending"


def _is_complete(state: State) -> bool:
    is_known = state.backup.status.status == "completed" or bool(state.kept)
    return is_known or unread_end(state.jobs) is not None


def _has_run(job: SeenJob) -> bool:
    return any(run.is_running or run.has_failed for run in job.runs)


def _fields(state: State, conditions: tuple[Wanted, ...]) -> dict[str, Any]:
    backup, active = state.backup, state.active
    is_running = active is not None and active.running is not None
    finished = [record.finish_time for record in state.kept if record.finish_time]
    return {
        "status": status_word(state),
        "message": _message(state, conditions)[:LONGEST_MESSAGE] or None,
        "record": [record.manifest() for record in state.kept],
        "progress": told_progress(backup.status.progress, state.seen.progress)
        if is_running
        else None,
        "server": state.source.pod if isinstance(state.source, Source) else backup.status.server,
        "lastSuccess": max([*finished, *filter(None, [backup.status.last_success])], default=None),
        "failures": len(state.failed) or None,
        "observedGeneration": backup.metadata.generation,
    }


def _message(state: State, conditions: tuple[Wanted, ...]) -> str:
    """Return what a person should know first."""
    told = {condition.type: condition for condition in conditions}
    completed, scheduled = told[COMPLETED], told[SCHEDULED]
    sentences = [
        scheduled.message if scheduled.status == "False" else "",
        completed.message if completed.reason in ("Failed", "BackupComplete") else "",
        _under_way(state),
        state.problem,
        FULL if len(state.kept) == MOST_RECORDS else "",
        told[RECENT].message if RECENT in told and told[RECENT].reason == "TooOld" else "",
        state.source.note if isinstance(state.source, Source) else "",
    ]
    return " ".join(filter(None, sentences))


def _under_way(state: State) -> str:
    if state.active is None:
        return ""
    if state.active.trouble:
        return f"The pod of Job {state.active.name} does not run: {state.active.trouble}."
    failed = [run for run in state.active.runs if run.has_failed]
    return f"A try failed and is repeated: {state.active.error}" if failed else ""


def _conditions(state: State, now: datetime) -> tuple[Wanted, ...]:
    both = (_completed(state), _scheduled(state))
    if not state.backup.spec.is_scheduled:
        return both
    return (*both, recent(state.backup, state.kept, now, state.seen.zone))


def _completed(state: State) -> Wanted:
    """Return whether the last run brought a backup."""
    if state.failed:
        job = state.failed[-1]
        return Wanted(COMPLETED, "False", "Failed", f"Job {job.name} failed: {job.error}")
    if state.kept:
        return Wanted(COMPLETED, "True", "BackupComplete", _told(state.kept[-1]))
    before = seen_condition(state.backup, COMPLETED)
    is_over = is_done(state.backup, state.seen) and state.active is None
    if (unread := unread_end(state.jobs)) is not None:
        told = (
            f"Job {unread.name} is complete, but its pod was removed before its result was read: "
            "list the bucket for the key."
        )
        return Wanted(COMPLETED, "True", "BackupComplete", told)
    if is_over and before is not None:
        return Wanted(COMPLETED, before.status, before.reason, before.message)
    return Wanted(COMPLETED, "False", "NoBackupYet", "There is no backup yet.")


def _told(record: Record) -> str:
    proven = " and was read back and proven" if record.verified else ""
    size = f" has {record.size} bytes" if record.size is not None else " is complete"
    upto = f" up to zxid {record.zxid}" if record.zxid else ""
    more = f" {record.message}" if record.message else ""
    return f"The backup {record.key}{size}{upto}{proven}.{more}"


def _scheduled(state: State) -> Wanted:
    """Return whether what the spec asks for is in place: the Job, or the CronJob."""
    objects = state.objects
    if state.refused is not None:
        return state.refused
    if objects.reason:
        return Wanted(SCHEDULED, "False", objects.reason, objects.message)
    if not state.backup.spec.is_scheduled:
        return Wanted(SCHEDULED, "True", "AsWanted", "The Job was made.")
    name = cron_job_name(state.backup)
    return Wanted(SCHEDULED, "True", "AsWanted", f"The CronJob {name} makes the backups.")


def _announcements(state: State, conditions: tuple[Wanted, ...]) -> Plan:
    return (
        *_seed_image_notice(state),
        *_started(state),
        *_new_records(state),
        *_new_failure(state, conditions),
        *_warnings(state, conditions),
    )


def _seed_image_notice(state: State) -> Plan:
    backup = state.backup
    if not is_seed_helper(backup.spec.image or "") or seen_condition(backup, SCHEDULED):
        return ()
    told = f"{backup.spec.image} is replaced by the functions' own image."
    return (Announce("Normal", "HelperImageReplaced", told),)


def _started(state: State) -> Plan:
    if state.active is None or state.backup.status.status == "running":
        return ()
    if status_word(state) != "running":
        return ()
    told = f"Job {state.active.name} copies the data."
    return (Announce("Normal", "BackupStarted", told, state.active.uid),)


def _new_records(state: State) -> Plan:
    known = {record.key for record in state.backup.status.record}
    return tuple(
        Announce("Normal", "BackupCompleted", _told(record), record.key)
        for record in state.kept
        if record.key not in known
    )


def _new_failure(state: State, conditions: tuple[Wanted, ...]) -> Plan:
    """Return the Warning for a run that failed; the condition remembers which one was told."""
    wanted = next(condition for condition in conditions if condition.type == COMPLETED)
    before = seen_condition(state.backup, COMPLETED)
    if not state.failed or (before is not None and before.message == wanted.message):
        return ()
    return (Announce("Warning", "BackupFailed", wanted.message, state.failed[-1].uid),)


def _warnings(state: State, conditions: tuple[Wanted, ...]) -> Plan:
    return tuple(
        Announce("Warning", wanted.reason, wanted.message, since(state.backup, wanted.type))
        for wanted in conditions
        if wanted.type != COMPLETED
        and wanted.status == "False"
        and wanted.reason not in {*QUIET, "NoBackupYet"}
        and (has_turned(state.backup, wanted) or _has_new_reason(state, wanted))
    )


def _has_new_reason(state: State, wanted: Wanted) -> bool:
    before = seen_condition(state.backup, wanted.type)
    return before is not None and before.reason != wanted.reason
