"""After the servers serve again, or were never stopped: what the restore left is removed."""

from __future__ import annotations

from datetime import datetime

from functions.api.restore import ZooKeeperRestore
from functions.manifests.installation import Installation
from functions.manifests.restore_job import Known, Program
from functions.planning.restores import work
from functions.planning.restores.decision import CLEAN_UP, DONE, Decision, Limits, since, why_of
from functions.planning.restores.seen import Seen
from functions.planning.restores.staging import FINALIZER, finalizers
from functions.planning.restores.work import Task
from functions.planning.steps import Plan

RESTARTED = "The ensemble serves the backup's data."


def clean_up(
    restore: ZooKeeperRestore,
    seen: Seen,
    is_restored: bool,
    installation: Installation,
    limits: Limits,
    now: datetime,
) -> Decision:
    """Return what comes next until nothing of the restore is left on the volumes."""
    wanted = _left_on(restore, seen)
    is_late = restore.status.step == CLEAN_UP and since(restore, now) > limits.clean_up
    if not any(task.is_under_way for task in wanted) or is_late:
        return _end(restore, is_restored, wanted)
    told = work.standing(wanted, "volumes are cleaned of what the restore left")
    known = Known(is_restored=is_restored)
    ended = work.end_others(restore, seen, wanted)
    act = ended if ended is not None else work.start(
        restore, Program.CLEAN, wanted, known, installation
    )  # fmt: skip
    return Decision(CLEAN_UP, "running", f"{_outcome(restore, is_restored)} {told}", act)


def _outcome(restore: ZooKeeperRestore, is_restored: bool) -> str:
    return RESTARTED if is_restored else why_of(restore) or "The restore ends."


def _left_on(restore: ZooKeeperRestore, seen: Seen) -> tuple[Task, ...]:
    """Return the cleaning of those volumes that a Job of the restore was made for."""
    if seen.cluster is None or not seen.jobs:
        return ()
    touched = work.tasks(restore, seen.cluster, seen, Program.STAGE)
    numbers = {task.place.number for task in touched if task.job is not None}
    wanted = work.tasks(restore, seen.cluster, seen, Program.CLEAN)
    return tuple(task for task in wanted if task.place.number in numbers)


def _end(restore: ZooKeeperRestore, is_restored: bool, wanted: tuple[Task, ...]) -> Decision:
    left = [task.pod for task in wanted if not task.is_done]
    told = _outcome(restore, is_restored)
    warnings = list(restore.status.warnings)
    if left:
        warnings.append(
            f"What the restore left on the volumes of {', '.join(left)} is still there."
        )
    facts = {"progress": None, "warnings": warnings}
    return Decision(DONE, "restarted" if is_restored else "failed", told, let_go(restore), facts)


def let_go(restore: ZooKeeperRestore) -> Plan:
    """Return the write after which the ZooKeeperRestore may be deleted."""
    if FINALIZER not in restore.metadata.finalizers:
        return ()
    return (finalizers(restore, []),)


def gone(restore: ZooKeeperRestore, cluster: str) -> Decision:
    """Return the end of a restore whose cluster went away."""
    told = f"The ZooKeeperCluster {cluster} is gone."
    return Decision(DONE, "failed", told, let_go(restore))


def at_rest(restore: ZooKeeperRestore) -> Decision:
    """Return that everything is as it says; `completed` keeps what is staged."""
    status = restore.status
    is_kept = status.status == "completed"
    act = () if is_kept else let_go(restore)
    return Decision(DONE, status.status or "failed", status.message or "", act)
