"""Reading what a ZooKeeperBackup is about, and which backups an event is about."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from functions.api.backup import ZooKeeperBackup
from functions.api.errors import Unavailable
from functions.api.kinds import BACKUP, CLUSTER, CRON_JOB, JOB, Ref
from functions.api.manifest import Manifest, ref_of
from functions.manifests.backup_jobs import cron_job_name, may_be_of, once_job_name
from functions.manifests.job_names import label_value, operator
from functions.planning.backups.objects import is_done
from functions.planning.backups.runs import copy_jobs
from functions.planning.backups.seen import Seen
from functions.planning.backups.source import mentions, needs_disks, needs_leader
from functions.planning.jobs import SeenJob, seen_jobs
from functions.planning.progress import Progress
from functions.planning.seen import SeenPod
from functions.runtime.reading import read_disks, read_pods, read_servers
from functions.runtime.reading_jobs import (
    read_jobs,
    read_namespace_clusters,
    read_namespace_restores,
)
from functions.runtime.world import World


def backups_of(subject: Ref, world: World) -> list[Ref]:
    """Return the backups that an object has to do with: those it belongs to or that mention it."""
    if subject.kind == BACKUP:
        return [subject]
    if subject.kind not in (CLUSTER, JOB, CRON_JOB):
        return []
    found = world.kube.list(BACKUP, subject.namespace)
    # A run that somebody makes by hand has a name of its own, and the labels of the others.
    job = world.kube.get(subject) if found and subject.kind == JOB else None
    return [ref_of(manifest) for manifest in found if _has_to_do(manifest, subject, job)]


def _has_to_do(backup: Manifest, subject: Ref, job: Manifest | None) -> bool:
    name = backup["metadata"]["name"]
    if subject.kind == CLUSTER:
        return mentions(backup["spec"], subject.name)
    labels = job["metadata"].get("labels", {}).items() if job is not None else ()
    wanted = {"operator": operator(BACKUP), "instance": label_value(name)}
    return may_be_of(name, subject.kind, subject.name) or wanted.items() <= dict(labels).items()


def look(backup: ZooKeeperBackup, world: World) -> Seen:
    """Return all that the planner looks at; servers and programs are asked only where it helps."""
    seen = Seen(
        installation=world.settings.installation,
        jobs=_jobs(backup, world),
        cron_job=_cron_job(backup, world),
        zone=zone_of(backup),
    )
    if is_done(backup, seen):
        return seen
    return _with_surroundings(backup, seen, world)


def _with_surroundings(backup: ZooKeeperBackup, seen: Seen, world: World) -> Seen:
    namespace = backup.metadata.namespace
    seen = replace(
        seen,
        clusters=read_namespace_clusters(namespace, world),
        restores=read_namespace_restores(namespace, world),
        progress=_progress(backup, seen, world),
    )
    if needs_leader(backup, seen, any(job.is_active for job in copy_jobs(backup, seen))):
        return replace(seen, leader=_leader(backup, world))
    cluster = needs_disks(backup, seen)
    if cluster is None:
        return seen
    pods = read_pods(cluster, world)
    servers = read_servers(cluster, pods, world)
    return replace(seen, disks=read_disks(cluster, pods, servers, world), placed=_placed(pods))


def zone_of(backup: ZooKeeperBackup) -> tzinfo:
    """Return the schedule's time zone; one that is not known here is refused by the API server."""
    with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(backup.spec.time_zone or "UTC")
    return UTC


def _jobs(backup: ZooKeeperBackup, world: World) -> tuple[SeenJob, ...]:
    """Return the Jobs with the backup's labels, and whatever has the name of its one Job."""
    found = read_jobs(backup, world)
    name = once_job_name(backup)
    if backup.spec.is_scheduled or any(job.name == name for job in found):
        return found
    other = world.kube.get(Ref(JOB, backup.metadata.namespace, name))
    return found if other is None else (*found, *seen_jobs([other], ()))


def _cron_job(backup: ZooKeeperBackup, world: World) -> Manifest | None:
    if not backup.spec.is_scheduled:
        return None
    return world.kube.get(Ref(CRON_JOB, backup.metadata.namespace, cron_job_name(backup)))


def _leader(backup: ZooKeeperBackup, world: World) -> int | str:
    source = backup.spec.source
    try:
        return world.admin_servers.leader(source.host or "", source.port)
    except Unavailable as error:
        return str(error)


def _progress(backup: ZooKeeperBackup, seen: Seen, world: World) -> Progress | None:
    """Ask the program of the running Job how far it is; it may end at any moment."""
    running = (job.running for job in copy_jobs(backup, seen) if job.is_active)
    run = next((run for run in running if run is not None and run.address), None)
    if run is None:
        return None
    try:
        return world.programs.progress(run.address)
    except Unavailable:
        return None


def _placed(pods: tuple[SeenPod, ...]) -> frozenset[str]:
    return frozenset(pod.name for pod in pods if pod.node)
