"""The next step of a restore, decided from what is seen alone: each may be repeated.

What is on record orders it: `status.restored` of the cluster (there is no way back), the cluster's
operation (the servers are held), the condition Restored (the restore goes back, or has failed).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.restore import ZooKeeperRestore
from functions.manifests.installation import Installation
from functions.planning.restores import ending, hold, staging, swapping
from functions.planning.restores.decision import (
    FAILED,
    GOING_BACK,
    RESTORED,
    VALIDATE,
    Decision,
    Limits,
    carry_out,
    failure,
    is_over,
    verdict_of,
    why_of,
)
from functions.planning.restores.seen import Seen
from functions.planning.restoring import RestoreStep
from functions.planning.status import seen_condition
from functions.planning.steps import Plan


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the functions are told by their settings."""

    installation: Installation
    limits: Limits = field(default_factory=Limits)


def plan_restore(
    restore: ZooKeeperRestore, seen: Seen, around: Surroundings, now: datetime
) -> Plan:
    """Say where the restore is; once that is said, take its next step."""
    return carry_out(restore, decide(restore, seen, around, now), now)


def decide(restore: ZooKeeperRestore, seen: Seen, around: Surroundings, now: datetime) -> Decision:
    """Return what the restore comes to now."""
    cluster, is_deleting = seen.cluster, restore.metadata.deletion_timestamp is not None
    if is_over(restore) and not (is_deleting and restore.status.status == "completed"):
        return ending.at_rest(restore)
    if cluster is None:
        return _without_cluster(restore, seen, is_deleting)
    step = hold.own_step(cluster, restore.metadata.uid)
    if step is None:
        return _not_holding(restore, cluster, seen, around, now)
    return _holding(restore, cluster, step, seen, around, now)


def _without_cluster(restore: ZooKeeperRestore, seen: Seen, is_deleting: bool) -> Decision:
    if restore.status.cluster is not None:
        return ending.gone(restore, restore.status.cluster)
    if is_deleting:
        return ending.at_rest(restore)
    return staging.pending(VALIDATE, seen.missing)


def _not_holding(
    restore: ZooKeeperRestore,
    cluster: ZooKeeperCluster,
    seen: Seen,
    around: Surroundings,
    now: datetime,
) -> Decision:
    is_restored = _is_restored(restore, cluster)
    if is_restored or verdict_of(restore) == FAILED:
        return ending.clean_up(restore, seen, is_restored, around.installation, around.limits, now)
    if verdict_of(restore) == GOING_BACK:
        return failure(VALIDATE, f"The restore did not take place: {why_of(restore)}")
    if restore.metadata.deletion_timestamp is not None:
        return failure(VALIDATE, "The ZooKeeperRestore was deleted before it took place.")
    return staging.prepare(restore, cluster, seen, around.installation, now)


def _is_restored(restore: ZooKeeperRestore, cluster: ZooKeeperCluster) -> bool:
    seen = seen_condition(restore, RESTORED)
    is_said = seen is not None and seen.status == "True"
    return is_said or cluster.status.restored == restore.metadata.uid


def _holding(
    restore: ZooKeeperRestore,
    cluster: ZooKeeperCluster,
    step: RestoreStep,
    seen: Seen,
    around: Surroundings,
    now: datetime,
) -> Decision:
    limits, verdict = around.limits, verdict_of(restore)
    if cluster.status.restored == restore.metadata.uid:
        return swapping.open_up(restore, cluster, step, seen, limits, now)
    is_own = step in (RestoreStep.ARM, RestoreStep.START_BACK)
    if verdict == FAILED and is_own:
        return Decision(
            restore.status.step or VALIDATE, "running", why_of(restore), hold.release(cluster)
        )
    if verdict:
        return swapping.go_back(restore, cluster, step, seen, now)
    if step is RestoreStep.ARM:
        return _armed(restore, cluster, seen, around, now)
    return swapping.go_forward(restore, cluster, step, seen, limits, now)


def _armed(
    restore: ZooKeeperRestore,
    cluster: ZooKeeperCluster,
    seen: Seen,
    around: Surroundings,
    now: datetime,
) -> Decision:
    if restore.metadata.deletion_timestamp is not None:
        return failure("Arm", "The ZooKeeperRestore was deleted before it took place.")
    return staging.arm(restore, cluster, seen, around.installation, around.limits, now)
