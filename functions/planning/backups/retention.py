"""Which backups are no longer kept. Their objects go first, by a Job; then their entries go.

Invariant: the newest backup stays, and the newest of which nothing bad is known; so does one that a
restore is reading. An entry leaves status only after its objects are gone, and together with the
Job of its run: from that it could be read again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.api.backup import Record, Retention, ZooKeeperBackup, duration
from functions.api.kinds import JOB, Ref
from functions.api.restore import ZooKeeperRestore
from functions.manifests.backup_jobs import KEYS, prune_job, prune_job_name
from functions.planning.backups.runs import begun, copy_jobs, key_of, prune_jobs, time_of
from functions.planning.backups.seen import MANAGER, Seen
from functions.planning.backups.source import OVER, NoSource, Source
from functions.planning.jobs import SeenJob
from functions.planning.status import timestamp
from functions.planning.steps import CreateObject, DeleteObject, Plan

# What one Job removes at a time: the keys are in its environment.
MOST_KEYS = 50
# A Job that failed is tried again after this, or as soon as there is more to remove.
TRY_AGAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pruning:
    """What retention comes to: what stays on record, what is done about the rest, and a problem.

    `before` goes before the status is written, `after` when it is; `made` is the Job that removes.
    """

    kept: tuple[Record, ...]
    before: Plan = ()
    after: Plan = ()
    made: Plan = ()
    problem: str = ""


def expired(
    known: Sequence[Record],
    retention: Retention | None,
    in_use: Collection[str],
    now: datetime,
) -> tuple[Record, ...]:
    """Return the backups that neither rule keeps, the oldest first."""
    if retention is None:
        return ()
    kept = {*in_use, *_always(known)}
    if retention.keep_last is not None:
        kept |= {record.key for record in known[-retention.keep_last :]}
    if retention.keep_for is not None:
        limit = timestamp(now - duration(retention.keep_for))
        kept |= {record.key for record in known if begun(record) > limit}
    return tuple(record for record in known if record.key not in kept)


def _always(known: Sequence[Record]) -> set[str]:
    good = [record for record in known if record.message is None and record.verified is not False]
    return {found[-1].key for found in (known, good) if found}


def keys_in_use(known: Sequence[Record], restores: Sequence[ZooKeeperRestore]) -> frozenset[str]:
    """Return the keys of backups that restores of the namespace are about to read."""
    wanted = {restore.spec.source.key for restore in restores if restore.status.status not in OVER}
    return frozenset(record.key for record in known if record.key in wanted)


def prune(
    backup: ZooKeeperBackup,
    known: tuple[Record, ...],
    seen: Seen,
    source: Source | NoSource,
    now: datetime,
) -> Pruning:
    """Return what is to be done about backups that are not kept."""
    removing = prune_jobs(backup, seen.jobs)
    ended = [job for job in removing if _is_done(job)]
    done = {key for job in ended for key in _keys(job)}
    so_far = Pruning(
        kept=tuple(record for record in known if record.key not in done),
        before=_without_runs(backup, copy_jobs(backup, seen), done),
        after=_deletions(backup, ended),
    )
    if any(job.is_active for job in removing):
        return so_far
    in_use = keys_in_use(so_far.kept, seen.restores)
    old = expired(so_far.kept, backup.spec.retention, in_use, now)[:MOST_KEYS]
    keys = [record.key for record in old]
    return _removal(backup, so_far, keys, seen, source, now)


def _removal(
    backup: ZooKeeperBackup,
    so_far: Pruning,
    keys: list[str],
    seen: Seen,
    source: Source | NoSource,
    now: datetime,
) -> Pruning:
    """Add the Job that removes `keys`, and take failed ones away that stand in its way."""
    removing = prune_jobs(backup, seen.jobs)
    name = prune_job_name(backup, keys)
    failed = [job for job in removing if job.state == "failed"]
    old_news = [job for job in failed if job.name != name or not _is_recent(job, now)]
    made: Plan = ()
    if keys and name not in {job.name for job in removing}:
        job = prune_job(backup, keys, seen.installation, source.cluster)
        made = (CreateObject(job, MANAGER),)
    problem = f"Old backups could not be removed: {failed[-1].error}" if failed and keys else ""
    before = (*so_far.before, *_deletions(backup, old_news))
    return Pruning(so_far.kept, before, so_far.after, made, problem)


def _is_done(job: SeenJob) -> bool:
    return job.state == "complete" or job.succeeded is not None


def _is_recent(job: SeenJob, now: datetime) -> bool:
    ended = time_of(job.finished)
    return ended is None or now - ended < TRY_AGAIN


def _keys(job: SeenJob) -> list[str]:
    return job.annotations.get(KEYS, "").split("\n")


def _without_runs(backup: ZooKeeperBackup, copying: Sequence[SeenJob], done: set[str]) -> Plan:
    of_done = [job for job in copying if any(key_of(backup, run) in done for run in job.runs)]
    return _deletions(backup, of_done)


def _deletions(backup: ZooKeeperBackup, jobs: Sequence[SeenJob]) -> Plan:
    namespace = backup.metadata.namespace
    return tuple(
        DeleteObject(Ref(JOB, namespace, job.name), job.uid) for job in jobs if not job.is_deleting
    )
