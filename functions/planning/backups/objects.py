"""The Job of one backup, or the CronJob of many: made, kept up to date, held back for a restore.

Invariant: no two Jobs of one generation are made for one backup, and nothing of somebody else's is
taken over. A Job's template never changes, so one that waits for a server that is gone is replaced.
"""

from __future__ import annotations

from dataclasses import dataclass

from functions.api.backup import ZooKeeperBackup
from functions.api.kinds import CRON_JOB, JOB, Ref
from functions.api.manifest import Manifest
from functions.manifests.backup_jobs import (
    SERVER,
    CopyFrom,
    cron_job,
    cron_job_name,
    once_job,
    once_job_name,
    with_fingerprint,
)
from functions.planning.backups.runs import copy_jobs
from functions.planning.backups.seen import MANAGER, Seen
from functions.planning.backups.source import NoSource, Source, restore_in_the_way
from functions.planning.drift import is_as_wanted
from functions.planning.jobs import SeenJob
from functions.planning.seen import controller_uid
from functions.planning.steps import ApplyObject, CreateObject, DeleteObject, Plan


@dataclass(frozen=True, slots=True)
class Objects:
    """What is done about the Job or CronJob, and why nothing is made (`reason`, `message`).

    An empty reason: what is wanted is there, or is made now.
    """

    plan: Plan = ()
    reason: str = ""
    message: str = ""


def bring_objects(backup: ZooKeeperBackup, source: Source | NoSource, seen: Seen) -> Objects:
    """Return the steps that bring the Job or the CronJob to what the spec asks."""
    if taken := _name_taken(backup, seen):
        return Objects(reason="NameTaken", message=taken)
    if backup.spec.is_scheduled:
        return _cron_job(backup, source, seen)
    return _once(backup, source, seen)


def is_done(backup: ZooKeeperBackup, seen: Seen) -> bool:
    """Whether a backup that is made once is over: nothing is looked at or made any more.

    An edit of the spec tries again what failed. Status knows it too, when the Job is gone.
    """
    if backup.spec.is_scheduled:
        return False
    jobs, status = copy_jobs(backup, seen), backup.status
    if backup.status.record or any(j.succeeded or j.state == "complete" for j in jobs):
        return True
    if status.status == "completed":
        return True
    generation = backup.metadata.generation
    has_failed = status.status == "failed" and status.observed_generation == generation
    return has_failed or any(j.state == "failed" and j.generation == generation for j in jobs)


def _name_taken(backup: ZooKeeperBackup, seen: Seen) -> str:
    """Return the sentence that somebody else's object has the name ours needs."""
    name = cron_job_name(backup)
    if backup.spec.is_scheduled:
        others = [seen.cron_job] if seen.cron_job is not None else []
        taken = [f"CronJob {name}" for it in others if _is_of_other(backup, controller_uid(it))]
    else:
        taken = [
            f"Job {job.name}"
            for job in seen.jobs
            if job.name == name and _is_of_other(backup, job.controller)
        ]
    if not taken:
        return ""
    return (
        f"{taken[0]} is there already and belongs to something else. Remove it, or give this "
        "ZooKeeperBackup another name."
    )


def _is_of_other(backup: ZooKeeperBackup, controller: str) -> bool:
    return controller != backup.metadata.uid


def _once(backup: ZooKeeperBackup, source: Source | NoSource, seen: Seen) -> Objects:
    jobs = copy_jobs(backup, seen)
    if is_done(backup, seen):
        return Objects()
    active = [job for job in jobs if job.is_active and not job.is_deleting]
    if active:
        return Objects(_replaced(backup, active, source))
    if isinstance(source, NoSource):
        return Objects(reason=source.reason, message=source.message)
    if told := restore_in_the_way(source.cluster, seen.restores):
        return Objects(reason="RestoreUnderWay", message=told)
    job = once_job(backup, _next_name(backup, jobs), _copy_from(source), seen.installation)
    return Objects((CreateObject(job, MANAGER),))


def _next_name(backup: ZooKeeperBackup, jobs: tuple[SeenJob, ...]) -> str:
    """Return the seed system's name, or another for what is tried again after an edit."""
    name = once_job_name(backup)
    is_used = any(job.name == name for job in jobs)
    return once_job_name(backup, str(backup.metadata.generation)) if is_used else name


def _cron_job(backup: ZooKeeperBackup, source: Source | NoSource, seen: Seen) -> Objects:
    if isinstance(source, NoSource):
        return Objects(_held_back(seen.cron_job, source), source.reason, source.message)
    told = restore_in_the_way(source.cluster, seen.restores)
    suspend = backup.spec.suspend or bool(told)
    wanted = cron_job(backup, _copy_from(source), seen.installation, suspend=suspend)
    plan = (*_brought(wanted, seen.cron_job), *_replaced(backup, _active(backup, seen), source))
    if told:
        return Objects(plan, "RestoreUnderWay", told)
    if backup.spec.suspend:
        return Objects(plan, "Suspended", "spec.suspend: no backup is made by the schedule.")
    return Objects(plan)


def _active(backup: ZooKeeperBackup, seen: Seen) -> list[SeenJob]:
    """Return the CronJob's runs under way; what somebody made by hand is theirs to remove."""
    own = [job for job in copy_jobs(backup, seen) if job.controller]
    return [job for job in own if job.is_active and not job.is_deleting]


def _brought(wanted: Manifest, found: Manifest | None) -> Plan:
    if found is None:
        return (ApplyObject(wanted, MANAGER),)
    if "deletionTimestamp" in found["metadata"] or is_as_wanted(wanted, found):
        return ()
    return (ApplyObject(_to(wanted, found), MANAGER),)


def _to(wanted: Manifest, found: Manifest) -> Manifest:
    precondition = {key: found["metadata"][key] for key in ("uid", "resourceVersion")}
    return {**wanted, "metadata": {**wanted["metadata"], **precondition}}


def _held_back(found: Manifest | None, source: NoSource) -> Plan:
    """Suspend the CronJob while its runs could only fail; a server that is away comes back."""
    is_passing = source.reason in ("NoServer", "LeaderUnknown")
    if found is None or found["spec"].get("suspend") or is_passing:
        return ()
    metadata = found["metadata"]
    kept = {key: metadata[key] for key in ("name", "namespace", "labels", "ownerReferences")}
    held = {
        "apiVersion": CRON_JOB.api_version,
        "kind": CRON_JOB.name,
        "metadata": kept,
        "spec": {**found["spec"], "suspend": True},
    }
    return (ApplyObject(_to(with_fingerprint(held), found), MANAGER),)


def _replaced(backup: ZooKeeperBackup, active: list[SeenJob], source: Source | NoSource) -> Plan:
    """Remove a Job none of whose pods ever ran, when another server is to be copied from by now.

    Its pod waits for the node of a server that may be gone for good.
    """
    if isinstance(source, NoSource):
        return ()
    return tuple(
        DeleteObject(Ref(JOB, backup.metadata.namespace, job.name), job.uid)
        for job in active
        if job.annotations.get(SERVER, source.pod) != source.pod
        and not any(run.is_running or run.has_failed for run in job.runs)
    )


def _copy_from(source: Source) -> CopyFrom:
    return CopyFrom(
        source.cluster, source.ordinal, source.method, source.is_serving, source.is_beside
    )
