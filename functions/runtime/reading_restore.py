"""Reading the world around one restore: its target with the servers, its Jobs, who goes first."""

from __future__ import annotations

import contextlib

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import Unavailable
from functions.api.kinds import BACKUP, CLUSTER, JOB, POD, RESTORE, Ref
from functions.api.manifest import Manifest
from functions.api.quarantine import quarantine_port
from functions.api.restore import ZooKeeperRestore
from functions.manifests.job_names import operator, selector
from functions.planning.instance import find_cluster
from functions.planning.jobs import SeenJob, seen_jobs
from functions.planning.progress import Progress
from functions.planning.restores import hold
from functions.planning.restores.decision import is_over, is_settled
from functions.planning.restores.queue import ahead_of
from functions.planning.restores.seen import Seen, backups_of, has_ended
from functions.planning.scale_slice import NOBODY
from functions.planning.seen import controller_uid
from functions.runtime.reading import (
    read_claims,
    read_disks,
    read_pods,
    read_servers,
    read_stateful_set,
)
from functions.runtime.reading_jobs import read_namespace_clusters, read_namespace_restores
from functions.runtime.world import World


def read_restores(subject: Ref, world: World) -> list[Ref]:
    """Return the restores that an event may be about: itself, or all that are not settled.

    There are few, and most of what happens in a namespace while one runs concerns it.
    """
    if subject.kind == RESTORE:
        return [subject]
    return [
        Ref(RESTORE, subject.namespace, restore.metadata.name)
        for restore in read_namespace_restores(subject.namespace, world)
        if not is_settled(restore)
    ]


def look_around(restore: ZooKeeperRestore, world: World) -> Seen:
    """Return everything that the next step of the restore is decided from."""
    if is_over(restore) and restore.metadata.deletion_timestamp is None:
        return Seen()
    found = _target(restore, world)
    if isinstance(found, str):
        return Seen(missing=found)
    return _around(restore, found, world)


def _target(restore: ZooKeeperRestore, world: World) -> ZooKeeperCluster | str:
    """Return the cluster that was chosen once, or the one that is meant."""
    namespace, chosen = restore.metadata.namespace, restore.status.cluster
    if chosen is None:
        clusters = read_namespace_clusters(namespace, world)
        return find_cluster(restore.spec.target, "spec.target", clusters)
    manifest = world.kube.get(Ref(CLUSTER, namespace, chosen))
    return "" if manifest is None else ZooKeeperCluster.parse(manifest)


def _around(restore: ZooKeeperRestore, cluster: ZooKeeperCluster, world: World) -> Seen:
    namespace = restore.metadata.namespace
    pods = read_pods(cluster, world)
    serving = read_servers(cluster, pods, world)
    is_held = hold.own_step(cluster, restore.metadata.uid) is not None
    closed = quarantine_port(cluster.spec)
    jobs, loose = _jobs(restore, world)
    backups = world.kube.list(JOB, namespace, {"operator": operator(BACKUP)})
    return Seen(
        cluster=cluster,
        stateful_set=read_stateful_set(cluster, world),
        pods=pods,
        claims=read_claims(cluster, world),
        serving=serving,
        closed=read_servers(cluster, pods, world, closed) if is_held else NOBODY,
        disks=read_disks(cluster, pods, serving, world),
        jobs={job.name: job for job in jobs},
        loose_pods=loose,
        progress=_progress(jobs, world),
        backups=backups_of(cluster, backups),
        ahead=ahead_of(restore, cluster.metadata.name, read_namespace_restores(namespace, world)),
    )


def _jobs(restore: ZooKeeperRestore, world: World) -> tuple[list[SeenJob], tuple[str, ...]]:
    """Return the restore's own Jobs, and the pods of such that are gone but for them."""
    namespace, labels = restore.metadata.namespace, selector(restore)
    manifests = world.kube.list(JOB, namespace, labels)
    # Pods after Jobs: a Job that is seen as complete has all its last words in place.
    pods = world.kube.list(POD, namespace, labels)
    jobs = [j for j in seen_jobs(manifests, pods) if j.controller == restore.metadata.uid]
    return jobs, _loose(pods, {job.uid for job in jobs})


def _loose(pods: list[Manifest], jobs: set[str]) -> tuple[str, ...]:
    return tuple(
        pod["metadata"]["name"]
        for pod in pods
        if controller_uid(pod) not in jobs and not has_ended(pod)
    )


def _progress(jobs: list[SeenJob], world: World) -> Progress | None:
    """Return how far the programs that run are together; None while none of them says."""
    told: list[Progress] = []
    for job in jobs:
        if job.running is not None and job.running.address:
            with contextlib.suppress(Unavailable):
                told.append(world.programs.progress(job.running.address))
    if not told:
        return None
    done, total = sum(it.done for it in told), sum(it.total for it in told)
    return Progress(done, total, told[0].phase)
