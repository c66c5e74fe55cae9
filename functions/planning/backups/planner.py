"""What is done for a ZooKeeperBackup now: the slice of `backup`.

Invariant: an entry of the record stands for a backup that is in the store; an entry goes only when
its objects are gone. Backups take no operation of the cluster: they move no server.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from functions.api.backup import Record, ZooKeeperBackup
from functions.api.kinds import JOB, Ref
from functions.planning.backups.objects import bring_objects
from functions.planning.backups.refusal import refused_before
from functions.planning.backups.report import MOST_RECORDS, State, report
from functions.planning.backups.retention import prune
from functions.planning.backups.runs import copy_jobs, key_of, records
from functions.planning.backups.seen import Seen
from functions.planning.backups.source import find_source
from functions.planning.steps import DeleteObject, Plan


def plan_backup(backup: ZooKeeperBackup, seen: Seen, now: datetime) -> Plan:
    """Return the next steps for the Jobs, for what is not kept any more, and for the status.

    What was refused comes last: it ends the plan when it is refused again.
    """
    source = find_source(backup, seen)
    objects = bring_objects(backup, source, seen)
    known = records(backup, copy_jobs(backup, seen))
    pruning = prune(backup, known, seen, source, now)
    tried = (*objects.plan, *pruning.made)
    refused = refused_before(backup) if tried else None
    kept = pruning.kept[-MOST_RECORDS:]
    told = report(State(backup, seen, source, objects, kept, pruning.problem, refused), now)
    over = tuple(step for step in _over(backup, seen, pruning.kept) if step not in pruning.after)
    safe = (*pruning.before, *told, *pruning.after, *over)
    return (*tried, *safe) if refused is None else (*safe, *tried)


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
