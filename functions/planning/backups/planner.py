"""What is done for a ZooKeeperBackup now: the slice of `backup`.

Invariant: an entry of the record stands for a backup that is in the store; an entry goes only when
its objects are gone. Backups take no operation of the cluster: they move no server.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from functions.api.backup import Record, ZooKeeperBackup
from functions.api.errors import FunctionError
from functions.api.kinds import JOB, Ref
from functions.api.resource import Unread
from functions.planning.backups.objects import bring_objects
from functions.planning.backups.report import (
    CONDITIONS,
    FIELDS,
    MOST_RECORDS,
    SCHEDULED,
    State,
    report,
)
from functions.planning.backups.retention import prune
from functions.planning.backups.runs import copy_jobs, key_of, records
from functions.planning.backups.seen import MANAGER, Seen
from functions.planning.backups.source import find_source
from functions.planning.status import Slice, Wanted, has_turned, since, write_status
from functions.planning.steps import Announce, DeleteObject, Plan

INVALID_SPEC = "InvalidSpec"


def plan_backup(backup: ZooKeeperBackup, seen: Seen, now: datetime) -> Plan:
    """Return the next steps for the Jobs, for what is not kept any more, and for the status."""
    source = find_source(backup, seen)
    objects = bring_objects(backup, source, seen)
    known = records(backup, copy_jobs(backup, seen))
    pruning = prune(backup, known, seen, source, now)
    state = State(backup, seen, source, objects, pruning.kept[-MOST_RECORDS:], pruning.problem)
    told = report(state, now)
    over = tuple(step for step in _over(backup, seen, pruning.kept) if step not in pruning.after)
    return (*objects.plan, *pruning.before, *told, *pruning.after, *over)


def _over(backup: ZooKeeperBackup, seen: Seen, kept: Sequence[Record]) -> Plan:
    """Return the removal of the Jobs whose backup is on record; it follows the write of that.

    A pod keeps the claims it names from being deleted, also when it has long ended: a disk that is
    given up, or a cluster that goes with its volumes, would wait for it.
    """
    known = {record.key for record in kept}
    return tuple(
        DeleteObject(Ref(JOB, backup.metadata.namespace, job.name), job.uid)
        for job in copy_jobs(backup, seen)
        if job.state == "complete" and not job.is_deleting
        if job.succeeded is not None and key_of(backup, job.succeeded) in known
    )


def plan_refused(backup: Unread, error: FunctionError, now: datetime) -> Plan:
    """Return the status that tells what the API server, or the spec's own rules, will not have.

    Everything else stays as it was said last, the record above all.
    """
    seen = backup.status.manifest()
    refused = Wanted(SCHEDULED, "False", INVALID_SPEC, str(error))
    kept = [
        Wanted(c.type, c.status, c.reason, c.message)
        for c in backup.status.conditions
        if c.type in CONDITIONS - {SCHEDULED}
    ]
    fields = {key: seen.get(key) for key in FIELDS} | {
        "status": seen.get("status") or "pending",
        "message": str(error),
    }
    part = Slice(MANAGER, fields, (refused, *kept), owned_types=CONDITIONS)
    written = write_status(backup, part, now)
    if not written or not has_turned(backup, refused):
        return written
    return (Announce("Warning", INVALID_SPEC, str(error), since(backup, SCHEDULED)), *written)
