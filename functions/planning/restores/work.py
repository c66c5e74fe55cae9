"""The Jobs of a restore: which there should be on the members' volumes, and how they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import JOB, Ref
from functions.api.restore import ZooKeeperRestore
from functions.manifests.installation import Installation
from functions.manifests.names import pod_name
from functions.manifests.restore_job import Known, Place, Program, restore_job, restore_job_name
from functions.planning.jobs import SeenJob
from functions.planning.restores.decision import MANAGER
from functions.planning.restores.seen import Seen, has_pods
from functions.planning.steps import CreateObject, DeleteObject, LookAgain, Plan


@dataclass(frozen=True, slots=True)
class Task:
    """One Job that there should be, and the one that is there."""

    place: Place
    pod: str
    job: SeenJob | None

    @property
    def is_done(self) -> bool:
        return self.job is not None and self.job.state == "complete"

    @property
    def has_failed(self) -> bool:
        return self.job is not None and self.job.state == "failed"

    @property
    def is_under_way(self) -> bool:
        return not self.is_done and not self.has_failed


def member_ids(cluster: ZooKeeperCluster) -> tuple[int, ...]:
    """Return the ids of all members, voters and observers."""
    record = cluster.status.bootstrap
    members = cluster.status.members or (record.members if record is not None else ())
    return tuple(sorted(member.id for member in members))


def without_volume(cluster: ZooKeeperCluster, seen: Seen) -> tuple[str, ...]:
    """Return the pods of those members whose volumes are not all there."""
    return tuple(
        pod_name(cluster, number - 1)
        for number in member_ids(cluster)
        if not seen.claims_of(cluster, number)
    )


def tasks(
    restore: ZooKeeperRestore, cluster: ZooKeeperCluster, seen: Seen, program: Program
) -> tuple[Task, ...]:
    """Return what the program has to be run on: the volumes of every member that has them."""
    running = {pod.name for pod in seen.pods if pod.node}
    found = []
    for number in member_ids(cluster):
        if claims := seen.claims_of(cluster, number):
            pod = pod_name(cluster, number - 1)
            place = Place(cluster, number, tuple(claim.uid for claim in claims), pod in running)
            name = restore_job_name(restore, program, place)
            found.append(Task(place, pod, seen.jobs.get(name)))
    return tuple(found)


def start(
    restore: ZooKeeperRestore,
    program: Program,
    wanted: Sequence[Task],
    known: Known,
    installation: Installation,
) -> Plan:
    """Return the creation of every Job that is missing."""
    missing = [task for task in wanted if task.job is None]
    made = [
        CreateObject(restore_job(restore, program, task.place, known, installation), MANAGER)
        for task in missing
    ]
    return (*made, LookAgain()) if made else ()


def failed(wanted: Sequence[Task]) -> str:
    """Return which Jobs failed for good and why, or an empty string."""
    told = [f"{task.pod}: {task.job.error}" for task in wanted if task.has_failed and task.job]
    return " ".join(told)


def standing(wanted: Sequence[Task], done: str) -> str:
    """Return how many are done, and what is in the way of the others."""
    count = sum(task.is_done for task in wanted)
    told = [f"{count} of {len(wanted)} {done}"]
    told += [
        f"{task.pod} {why}"
        for task in wanted
        if task.job is not None and task.is_under_way and (why := task.job.trouble)
    ]
    return "; ".join(told) + "."


def end_others(restore: ZooKeeperRestore, seen: Seen, wanted: Sequence[Task]) -> Plan | None:
    """Return the end of every other Job that may still write; None when none does.

    An empty plan waits: its pods have yet to go.
    """
    own = {task.job.name for task in wanted if task.job is not None}
    others = [
        job
        for job in seen.jobs.values()
        if job.name not in own and (job.state == "active" or has_pods(job))
    ]
    if not others:
        return () if seen.loose_pods else None
    namespace = restore.metadata.namespace
    ended = [job for job in others if not job.is_deleting]
    return tuple(DeleteObject(Ref(JOB, namespace, job.name), job.uid) for job in ended)


def remove_jobs(restore: ZooKeeperRestore, seen: Seen) -> Plan:
    """Return the removal of every Job of the restore.

    As long as a pod names a volume claim, even one that has ended, Kubernetes does not delete it.
    """
    namespace = restore.metadata.namespace
    gone = [job for job in seen.jobs.values() if not job.is_deleting]
    deleted = [DeleteObject(Ref(JOB, namespace, job.name), job.uid) for job in gone]
    return (*deleted, LookAgain()) if deleted else ()
