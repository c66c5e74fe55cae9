"""What is done for a ZooKeeperBackup now: the slice of `backup`.

Invariant: an entry of the record stands for a backup that is in the store; an entry goes only when
its objects are gone. Backups take no operation of the cluster: they move no server.
"""

from __future__ import annotations

from datetime import datetime

from functions.api.backup import ZooKeeperBackup
from functions.api.errors import FunctionError
from functions.api.resource import Unread
from functions.planning.backups.objects import bring_objects
from functions.planning.backups.report import CONDITIONS, FIELDS, SCHEDULED, State, report
from functions.planning.backups.retention import prune
from functions.planning.backups.runs import copy_jobs, records
from functions.planning.backups.seen import MANAGER, Seen
from functions.planning.backups.source import find_source
from functions.planning.status import Slice, Wanted, has_turned, since, write_status
from functions.planning.steps import Announce, Plan

INVALID_SPEC = "InvalidSpec"


def plan_backup(backup: ZooKeeperBackup, seen: Seen, now: datetime) -> Plan:
    """Return the next steps for the Jobs, for what is not kept any more, and for the status."""
    source = find_source(backup, seen)
    objects = bring_objects(backup, source, seen)
    known = records(backup, copy_jobs(backup, seen))
    pruning = prune(backup, known, seen, source, now)
    state = State(backup, seen, source, objects, pruning.kept, pruning.problem)
    return (*objects.plan, *pruning.before, *report(state, now), *pruning.after)


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
