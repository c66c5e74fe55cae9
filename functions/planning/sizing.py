"""The next step of `scale`, whatever the cluster's age: created, or on its way to another size."""

from __future__ import annotations

from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.status import Bootstrap
from functions.planning import bootstrap, growth, operation, recovery
from functions.planning.denial import say_and_try
from functions.planning.joiners import pod_to_replace
from functions.planning.leftovers import volumes_to_remove
from functions.planning.membership import is_stopped
from functions.planning.protection import is_protected, protect
from functions.planning.restores import hold
from functions.planning.restores.servers import plan_held
from functions.planning.scale_slice import PROGRESS, SCALED, Seen, is_ours, report
from functions.planning.scaling import Move, RunServers
from functions.planning.seen import SeenStatefulSet
from functions.planning.status import Wanted
from functions.planning.steps import LookAgain, Plan
from functions.planning.stopping import may_stop, plan_stop


def plan_scale(cluster: ZooKeeperCluster, seen: Seen, now: datetime) -> Plan:
    """Return the next safe steps towards the wanted number of servers."""
    record = cluster.status.bootstrap
    if cluster.spec.paused:
        return report(cluster, record, _paused(cluster), now)
    if hold.step_of(cluster) is not None:
        return plan_held(cluster, seen, now)
    if is_stopped(cluster) and may_stop(cluster, seen):
        return plan_stop(cluster, seen, now)
    if record is None:
        return bootstrap.open_record(cluster, seen, now)
    if record.state == "open":
        return bootstrap.go_on(cluster, record, seen, now)
    return _after_creation(cluster, record, seen, now)


def _paused(cluster: ZooKeeperCluster) -> Wanted:
    also = " spec.stopped waits for it." if cluster.spec.stopped else ""
    told = f"spec.paused: the number of servers is left alone.{also}"
    return Wanted(SCALED, "False", "Paused", told)


def _after_creation(
    cluster: ZooKeeperCluster, record: Bootstrap, seen: Seen, now: datetime
) -> Plan:
    """Say where the ensemble is on its way; once that is said, make the next move."""
    found = seen.stateful_set
    if found is None or not is_ours(cluster, found):
        told = "The StatefulSet is not there yet."
        return report(cluster, record, Wanted(SCALED, "False", "NoStatefulSet", told), now)
    move, ensemble = growth.move_of(cluster, seen.servers, found)
    move = pod_to_replace(cluster, seen) or move or volumes_to_remove(cluster, seen, ensemble)
    condition = growth.condition_of(cluster, move, ensemble)
    verdict = recovery.judge(cluster, record, seen, condition)

    def say(wanted: Wanted) -> Plan:
        written = report(cluster, record, wanted, now, seen.servers.config, verdict.fields)
        return (*verdict.news, *written) if written else ()

    tried = _next_steps(cluster, move, verdict, found, seen, now)
    return say_and_try(cluster, verdict.condition, PROGRESS, tried, say)


def _next_steps(
    cluster: ZooKeeperCluster,
    move: Move | None,
    verdict: recovery.Verdict,
    found: SeenStatefulSet,
    seen: Seen,
    now: datetime,
) -> Plan:
    if changed := protect(cluster, seen.budget, _pods_that_may_run(cluster, move, found, seen)):
        return (*changed, LookAgain())
    if not is_protected(cluster, seen.budget):
        return ()  # Its controller has to see it first, which makes an event.
    step = recovery.go_on(cluster, seen, verdict, now)
    return step if step is not None else growth.make(cluster, move, seen.servers, found, now)


def _pods_that_may_run(
    cluster: ZooKeeperCluster, move: Move | None, found: SeenStatefulSet, seen: Seen
) -> int:
    """Return how many pods may be Ready now or after the next move, if that may be made.

    While `roll` holds the operation it may not: a budget raised for pods that are yet to come would
    refuse roll's evictions, and both would wait for ever.
    """
    may_go_on = not operation.is_held_by_other(cluster, growth.MOVER)
    next_number = move.replicas if isinstance(move, RunServers) and may_go_on else 0
    return max(found.replicas, len(seen.pods), next_number)
