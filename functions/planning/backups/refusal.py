"""What the API server does not take of a backup: said in `Scheduled`, tried again, in nobody's way.

It is learnt only by trying, so the condition is also what the next plan knows it by. While it
stands, what came of the runs goes into status first and the try comes last: a CronJob that may not
be changed goes on making backups, and they belong on record.
"""

from __future__ import annotations

from datetime import datetime

from functions.api.backup import ZooKeeperBackup
from functions.api.errors import Denied, FunctionError
from functions.api.resource import Unread
from functions.planning.backups.report import CONDITIONS, FIELDS, SCHEDULED
from functions.planning.backups.seen import MANAGER
from functions.planning.denial import DENIED, denied, standing
from functions.planning.status import Slice, Wanted, seen_condition, since, write_status
from functions.planning.steps import Announce, Plan

INVALID_SPEC = "InvalidSpec"


def refused_before(backup: ZooKeeperBackup | Unread) -> Wanted | None:
    """Return the condition as it is while a refusal of the present spec stands."""
    return standing(backup, SCHEDULED, (DENIED, INVALID_SPEC))


def plan_refused(backup: Unread, error: FunctionError, now: datetime) -> Plan:
    """Return the status that tells what the API server, or the spec's own rules, will not have.

    Everything else stays as it was said last, the record above all.
    """
    refused = Wanted(SCHEDULED, "False", INVALID_SPEC, str(error))
    if isinstance(error, Denied):
        refused = denied(SCHEDULED, error)
    if refused == refused_before(backup):
        return ()
    seen = backup.status.manifest()
    kept = [
        Wanted(c.type, c.status, c.reason, c.message)
        for c in backup.status.conditions
        if c.type in CONDITIONS - {SCHEDULED}
    ]
    fields = {key: seen.get(key) for key in FIELDS} | {
        "status": seen.get("status") or "pending",
        "message": refused.message,
    }
    part = Slice(MANAGER, fields, (refused, *kept), owned_types=CONDITIONS)
    written = write_status(backup, part, now)
    before = seen_condition(backup, SCHEDULED)
    if before is not None and before.reason == refused.reason:
        return written
    told = Announce("Warning", refused.reason, refused.message, since(backup, SCHEDULED))
    return (told, *written)
