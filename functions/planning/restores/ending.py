"""After the servers serve again, or were never stopped: what the restore left is removed."""

from __future__ import annotations

from datetime import datetime

from functions.api.restore import ZooKeeperRestore
from functions.manifests.installation import Installation
from functions.manifests.restore_job import Known, Program
from functions.planning.restores import work
from functions.planning.restores.decision import (
    CLEAN_UP,
    DONE,
    STAGED,
    Decision,
    Limits,
    since,
    why_of,
)
from functions.planning.restores.seen import Seen
from functions.planning.restores.staging import FINALIZER, finalizers
from functions.planning.restores.work import Task
from functions.planning.status import Wanted, seen_condition
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
    if any(task.is_under_way for task in wanted) and not is_late:
        return _clean(restore, seen, is_restored, wanted, installation)
    if wanted or seen.jobs:
        return _remove_jobs(restore, seen, is_restored, wanted)
    facts = {"progress": None}
    told = _outcome(restore, is_restored)
    return Decision(DONE, "restarted" if is_restored else "failed", told, let_go(restore), facts)


def _clean(
    restore: ZooKeeperRestore,
    seen: Seen,
    is_restored: bool,
    wanted: tuple[Task, ...],
    installation: Installation,
) -> Decision:
    told = work.standing(wanted, "volumes are cleaned of what the restore left")
    act = work.end_others(restore, seen, wanted)
    if act is None:
        known = Known(is_restored=is_restored)
        act = work.start(restore, Program.CLEAN, wanted, known, installation)
    return Decision(CLEAN_UP, "running", f"{_outcome(restore, is_restored)} {told}", act)


def _remove_jobs(
    restore: ZooKeeperRestore, seen: Seen, is_restored: bool, wanted: tuple[Task, ...]
) -> Decision:
    """Return the removal of the Jobs, once it is on record that their work is done."""
    left = [task.pod for task in wanted if not task.is_done]
    warnings = list(restore.status.warnings)
    if left:
        told = f"What the restore left on the volumes of {', '.join(left)} is still there."
        warnings = [*(warning for warning in warnings if warning != told), told]
    act, outcome = work.remove_jobs(restore, seen), _outcome(restore, is_restored)
    cleaned = Wanted(STAGED, "False", "CleanedUp", "Nothing of the backup is staged any more.")
    return Decision(CLEAN_UP, "running", outcome, act, {"warnings": warnings}, cleaned)


def _outcome(restore: ZooKeeperRestore, is_restored: bool) -> str:
    return RESTARTED if is_restored else why_of(restore) or "The restore ends."


def _left_on(restore: ZooKeeperRestore, seen: Seen) -> tuple[Task, ...]:
    """Return the cleaning of the members' volumes, once anything was brought there."""
    staged = seen_condition(restore, STAGED)
    is_touched = staged is not None and staged.reason in ("Staging", "Staged")
    if seen.cluster is None or not is_touched:
        return ()
    return work.tasks(restore, seen.cluster, seen, Program.CLEAN)


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
