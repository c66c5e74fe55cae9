"""A change of the member list that the servers refuse: said once, tried again, in nobody's way.

What was refused is learnt only when the change is asked for, so the condition Scaled is also what
the next plan remembers it by. The step stays on record as one that waits, and is asked for again
whenever somebody looks: it heals by itself once its cause is gone. Meanwhile another mover may take
its place, since that may be the cure (a roll brings the servers a new password).
"""

from __future__ import annotations

from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import FunctionError, ReconfigRefused, Refused
from functions.planning import denial, operation
from functions.planning.operation import Step
from functions.planning.scale_slice import PROGRESS, SCALED, report
from functions.planning.status import Wanted, seen_condition, since
from functions.planning.steps import Announce, Plan

REFUSED = "ReconfigRefused"


def plan_refused_change(cluster: ZooKeeperCluster, error: FunctionError, now: datetime) -> Plan:
    """Return the status and, the first time, the Warning that tell what the servers said."""
    if not isinstance(error, Refused):
        return ()  # The spec itself: reconcile-cluster tells that.
    if not isinstance(error, ReconfigRefused):
        return _denial(cluster, error, now)
    told = f"The servers refuse to change their member list: {error} It is tried again."
    refused = Wanted(SCALED, "False", REFUSED, told)
    written = report(cluster, cluster.status.bootstrap, refused, now)
    if not written or kept(cluster) is not None:
        return written
    return (Announce("Warning", REFUSED, told, since(cluster, SCALED)), *written)


def _denial(cluster: ZooKeeperCluster, error: Refused, now: datetime) -> Plan:
    """Return the same for what Kubernetes does not allow; worse news stays in its place."""
    seen = seen_condition(cluster, SCALED)
    is_present = seen is not None and seen.observed_generation == cluster.metadata.generation
    if seen is not None and is_present and seen.reason not in PROGRESS | {denial.DENIED}:
        return ()
    wanted = denial.denied(SCALED, error)
    written = report(cluster, cluster.status.bootstrap, wanted, now)
    if not written:
        return ()
    return (Announce("Warning", wanted.reason, wanted.message, since(cluster, SCALED)), *written)


def standing(cluster: ZooKeeperCluster, step: Step) -> Wanted | None:
    """Return the condition as it is while the refused step is the one to be taken."""
    held = cluster.status.operation
    if step.config_version is None:
        return None
    is_other_of_ours = held is not None and held.type == step.type
    if is_other_of_ours and not operation.is_recorded(cluster, step):
        return None
    return kept(cluster)


def kept(cluster: ZooKeeperCluster) -> Wanted | None:
    """Return the condition as it is while a refusal of the present spec stands."""
    return denial.standing(cluster, SCALED, (REFUSED,))


def release(cluster: ZooKeeperCluster, step: Step) -> Plan:
    """Return the write that lets others move meanwhile, once it is known that it waits."""
    refused = kept(cluster)
    return () if refused is None else operation.release(cluster, step, refused.message)
