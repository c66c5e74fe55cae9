"""Before the servers stop: the target is looked at, the backup brought to every volume and proven.

Everything that can be found wrong with a backup is found here, while the ensemble still serves.
"""

from __future__ import annotations

from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.api.restore import ZooKeeperRestore
from functions.manifests.installation import Installation
from functions.manifests.pod_programs import is_seed_helper
from functions.manifests.restore_job import Known, Program
from functions.planning.instance import other_data_dir
from functions.planning.operation import is_held_by_other
from functions.planning.progress import told_progress
from functions.planning.restores import hold, work
from functions.planning.restores.decision import (
    ARM,
    DONE,
    MANAGER,
    RESTORED,
    STAGE,
    STAGED,
    STOP,
    VALIDATE,
    WAIT,
    Decision,
    Limits,
    failure,
    since,
)
from functions.planning.restores.seen import Seen
from functions.planning.restores.work import Task
from functions.planning.restoring import RestoreStep
from functions.planning.scale_slice import is_ours
from functions.planning.status import Wanted, seen_condition, status_manifest
from functions.planning.steps import Announce, ApplyObject, LookAgain, Plan

FINALIZER = "zookeeper.example.com/restore"
STAGED_THERE = "volumes hold the backup, and it is proven there"
COMPLETED = (
    "The backup is on every volume of {cluster}, and proven there. The ensemble goes on as it was. "
    "Set spec.rolloutRestart to true to put the backup in place: what was written since then is "
    "dropped."
)


def prepare(
    restore: ZooKeeperRestore,
    cluster: ZooKeeperCluster,
    seen: Seen,
    installation: Installation,
    now: datetime,
) -> Decision:
    """Return what comes next while the restore does not hold the servers."""
    if first := _in_the_way(restore, cluster, seen):
        return first
    if not restore.spec.rollout_restart and _is_staged(restore):
        return _completed(restore, cluster, seen)
    wanted = work.tasks(restore, cluster, seen, Program.STAGE)
    if told := work.failed(wanted):
        return failure(STAGE, told)
    if not all(task.is_done for task in wanted):
        return _stage(restore, cluster, seen, wanted, installation)
    facts = _facts(restore, cluster, wanted)
    if not restore.spec.rollout_restart:
        told = work.standing(wanted, STAGED_THERE)
        return Decision(STAGE, "running", told, facts=facts, staged=_staged())
    return _take(restore, cluster, seen, facts, now)


def _in_the_way(
    restore: ZooKeeperRestore, cluster: ZooKeeperCluster, seen: Seen
) -> Decision | None:
    if told := refusal(restore, cluster):
        return failure(VALIDATE, told)
    if told := hindrance(cluster, seen):
        return pending(VALIDATE, told, cluster)
    if seen.ahead:
        told = f"The ZooKeeperRestore {seen.ahead} of the same ensemble goes first."
        return pending(WAIT, told, cluster)
    return None


def _take(
    restore: ZooKeeperRestore,
    cluster: ZooKeeperCluster,
    seen: Seen,
    facts: Manifest,
    now: datetime,
) -> Decision:
    """Take the servers, unless somebody else has them."""
    if told := _waits_for(restore, cluster, seen):
        return Decision(WAIT, "running", told, facts=facts, staged=_staged())
    target, uid = restore.metadata.name, restore.metadata.uid
    act = hold.move_to(cluster, RestoreStep.ARM, target, uid, now)
    told = "Nobody else may move the servers from now on."
    return Decision(ARM, "running", told, act, facts, _staged(), _under_way())


def refusal(restore: ZooKeeperRestore, cluster: ZooKeeperCluster) -> str:
    """Return why the target can take no restore, whatever happens to it later."""
    name = cluster.metadata.name
    if cluster.metadata.deletion_timestamp is not None:
        return f"The ZooKeeperCluster {name} is being deleted."
    if cluster.spec.storage.ephemeral:
        return (
            f"The ZooKeeperCluster {name} has ephemeral storage: its disks go with its pods, so a "
            "restore has no place to keep the backup. Restore into a cluster with volumes."
        )
    return other_data_dir(restore.spec.target, "spec.target", cluster)


def hindrance(cluster: ZooKeeperCluster, seen: Seen) -> str:
    """Return what has to change about the target before its servers can be worked on."""
    name, record, found = cluster.metadata.name, cluster.status.bootstrap, seen.stateful_set
    if cluster.spec.paused:
        return f"The ZooKeeperCluster {name} is paused: set spec.paused to false."
    if cluster.spec.stopped:
        return f"The ZooKeeperCluster {name} is stopped: set spec.stopped to false."
    if record is None or record.state == "open":
        return f"The ZooKeeperCluster {name} has yet to be created: its first quorum has to serve."
    if found is None:
        return f"The ZooKeeperCluster {name} has no StatefulSet just now."
    if not is_ours(cluster, found):
        return (
            f"The StatefulSet of {name} belongs to somebody else or is being deleted: the "
            "ZooKeeperCluster's condition Reconciled says more."
        )
    if missing := work.without_volume(cluster, seen):
        return f"The volume claims of {', '.join(missing)} are missing."
    return ""


def pending(step: str, told: str, cluster: ZooKeeperCluster | None = None) -> Decision:
    """Return that the restore waits for somebody else before it has begun."""
    facts = {"cluster": cluster.metadata.name} if cluster is not None else {}
    return Decision(step, "pending", told, facts=facts)


def _stage(
    restore: ZooKeeperRestore,
    cluster: ZooKeeperCluster,
    seen: Seen,
    wanted: tuple[Task, ...],
    installation: Installation,
) -> Decision:
    told = work.standing(wanted, STAGED_THERE)
    progress = told_progress(restore.status.progress, seen.progress)
    facts = {"cluster": cluster.metadata.name, "progress": progress}
    act = work.start(restore, Program.STAGE, wanted, Known(seen.epoch), installation)
    if FINALIZER not in restore.metadata.finalizers:
        # What is on the volumes has to be removed before the restore may go.
        act = (*_seed_image(restore), finalizers(restore, [FINALIZER]), LookAgain())
    staging = Wanted(STAGED, "False", "Staging", "The backup is being brought to the volumes.")
    return Decision(STAGE, "running", told, act, facts, staging)


def _seed_image(restore: ZooKeeperRestore) -> Plan:
    if not is_seed_helper(restore.spec.image or ""):
        return ()
    told = f"{restore.spec.image} has no such program: the functions' own image is used."
    return (Announce("Normal", "ImageReplaced", told),)


def finalizers(restore: ZooKeeperRestore, wanted: list[str]) -> ApplyObject:
    """Return the apply that makes our finalizers on the restore exactly these."""
    manifest = status_manifest(restore, {})
    metadata = {**manifest["metadata"], "finalizers": wanted}
    return ApplyObject({k: manifest[k] for k in ("apiVersion", "kind")} | {"metadata": metadata},
                       MANAGER)  # fmt: skip


def _facts(
    restore: ZooKeeperRestore, cluster: ZooKeeperCluster, wanted: tuple[Task, ...]
) -> Manifest:
    """Return what the programs found out about the backup; they all looked at the same one."""
    runs = [task.job.succeeded for task in wanted if task.job is not None]
    told = next((run.result for run in runs if run is not None and run.result), {})
    known = restore.status
    zxid, nodes, warnings = told.get("zxid"), told.get("nodes"), told.get("warnings")
    return {
        "cluster": cluster.metadata.name,
        "progress": None,
        "zxid": zxid if isinstance(zxid, str) else known.zxid,
        "nodes": nodes if isinstance(nodes, int) else known.nodes,
        "warnings": [str(it) for it in warnings]
        if isinstance(warnings, list)
        else list(known.warnings),
    }


def _staged() -> Wanted:
    return Wanted(
        STAGED, "True", "Staged", "Every volume holds the backup, and it is proven there."
    )


def _under_way() -> Wanted:
    return Wanted(RESTORED, "False", "UnderWay", "The backup is being put in place.")


def _is_staged(restore: ZooKeeperRestore) -> bool:
    seen = seen_condition(restore, STAGED)
    return seen is not None and seen.status == "True"


def _completed(restore: ZooKeeperRestore, cluster: ZooKeeperCluster, seen: Seen) -> Decision:
    """Return the end of a restore that is only staged; its Jobs go, what they staged stays."""
    told = COMPLETED.format(cluster=cluster.metadata.name)
    if seen.jobs:
        return Decision(STAGE, "running", told, work.remove_jobs(restore, seen))
    why = "spec.rolloutRestart is false: the backup is not put in place."
    asked = Wanted(RESTORED, "False", "NotAsked", why)
    return Decision(DONE, "completed", told, restored=asked)


def _waits_for(restore: ZooKeeperRestore, cluster: ZooKeeperCluster, seen: Seen) -> str:
    """Return for whom the restore waits before it takes the servers, or an empty string."""
    held = cluster.status.operation
    if is_held_by_other(cluster, hold.MOVER) and held is not None:
        return f"Waits for what is under way: {held.type}, {held.step} ({held.target})."
    if held is not None and held.type == hold.MOVER and held.owner_uid != restore.metadata.uid:
        return f"Waits for another restore of the same ensemble: {held.target}."
    if seen.backups:
        return f"Waits for backups that are being made: {', '.join(seen.backups)}."
    return ""


def arm(
    restore: ZooKeeperRestore,
    cluster: ZooKeeperCluster,
    seen: Seen,
    installation: Installation,
    limits: Limits,
    now: datetime,
) -> Decision:
    """Return what comes next while the servers still run and nobody else may move them."""
    if told := refusal(restore, cluster):
        return failure(ARM, told)
    staged = work.tasks(restore, cluster, seen, Program.STAGE)
    wanted = work.tasks(restore, cluster, seen, Program.ARM)
    if told := work.failed((*staged, *wanted)):
        return failure(ARM, told)
    if work.without_volume(cluster, seen) or not all(task.is_done for task in staged):
        told = "A volume is another one than before: the backup is brought to it first."
        return Decision(ARM, "running", told, hold.release(cluster))
    if not all(task.is_done for task in wanted):
        if since(restore, now) > limits.servers:
            return failure(ARM, f"The volumes are not armed in time: {_armed(wanted)}")
        act = work.start(restore, Program.ARM, wanted, Known(seen.epoch), installation)
        return Decision(ARM, "running", _armed(wanted), act)
    facts = {"epoch": max(restore.status.epoch or 0, seen.epoch)}
    uid, name = restore.metadata.uid, restore.metadata.name
    act = hold.move_to(cluster, RestoreStep.STOP, name, uid, now)
    return Decision(STOP, "running", "All servers stop.", act, facts)


def _armed(wanted: tuple[Task, ...]) -> str:
    return work.standing(wanted, "volumes are ready for the change of their data")
