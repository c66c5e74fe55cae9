"""Running no server while `spec.stopped` says so: what `scale` does meanwhile.

Invariant: volumes and members stay as they are and nothing is made; `status.members` says how many
servers wake later. A stop needs no quorum and may come in the middle of anything but the step of
another mover.
"""

from __future__ import annotations

from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.status import Bootstrap
from functions.planning import bootstrap, operation
from functions.planning.denial import say_and_try
from functions.planning.ensemble import EnsembleConfig, Member
from functions.planning.member_list import OBSERVER
from functions.planning.membership import counted, server_count
from functions.planning.operation import Step
from functions.planning.protection import protect
from functions.planning.scale_slice import (
    PROGRESS,
    SCALED,
    Seen,
    is_ours,
    report,
    run_servers,
)
from functions.planning.seen import SeenStatefulSet
from functions.planning.status import Wanted
from functions.planning.steps import Announce, LookAgain, Plan

MOVER = "Stop"


def may_stop(cluster: ZooKeeperCluster, seen: Seen) -> bool:
    """Whether the record is fit to stop with: what runs is on it, and so is a first quorum."""
    record = cluster.status.bootstrap
    if record is None:
        return not _runs(seen)
    return record.state != "open" or not bootstrap.has_quorum(record, seen)


def plan_stop(cluster: ZooKeeperCluster, seen: Seen, now: datetime) -> Plan:
    """Stop every server, keep what the ensemble needs to wake, and say where it is."""
    record, found = cluster.status.bootstrap, seen.stateful_set
    if found is not None and not is_ours(cluster, found):
        told = "The StatefulSet is not there yet."
        return report(cluster, record, Wanted(SCALED, "False", "NoStatefulSet", told), now)
    condition = _stopping() if _runs(seen) else _stopped(cluster, record)
    members = _members(cluster, record, seen)

    def say(wanted: Wanted) -> Plan:
        return report(cluster, record, wanted, now, members)

    tried = _next_steps(cluster, found, seen, now)
    return say_and_try(cluster, condition, PROGRESS, tried, say)


def _next_steps(
    cluster: ZooKeeperCluster, found: SeenStatefulSet | None, seen: Seen, now: datetime
) -> Plan:
    if found is not None and found.replicas:
        return _run_none(cluster, found, now)
    if seen.pods:
        return ()  # Each that goes makes an event.
    return operation.clear(cluster, MOVER) or protect(cluster, seen.budget, 0)


def _runs(seen: Seen) -> bool:
    return bool(seen.pods) or (seen.stateful_set is not None and seen.stateful_set.replicas > 0)


def _stopping() -> Wanted:
    return Wanted(SCALED, "False", "Stopping", "spec.stopped: the servers are being stopped.")


def _stopped(cluster: ZooKeeperCluster, record: Bootstrap | None) -> Wanted:
    count = server_count(cluster)
    wake = f"set spec.stopped to false to start {counted(count, 'server')} again"
    if record is None:
        wake = f"set spec.stopped to false to create {counted(cluster.spec.replicas, 'server')}"
    kept = "The volumes keep the data" if record is not None else "Nothing was created yet"
    return Wanted(SCALED, "True", "Stopped", f"spec.stopped: no server runs. {kept}; {wake}.")


def _run_none(cluster: ZooKeeperCluster, found: SeenStatefulSet, now: datetime) -> Plan:
    if operation.is_held_by_other(cluster, MOVER):
        return ()
    step = Step(MOVER, "RunServers", "every server", replicas=0)
    if recorded := operation.take(cluster, step, now):
        told = f"All servers stop; waking starts {counted(server_count(cluster), 'server')} again."
        return (Announce("Normal", "Stopping", told), *recorded)
    return (run_servers(cluster, found, 0), LookAgain())


def _members(
    cluster: ZooKeeperCluster, record: Bootstrap | None, seen: Seen
) -> EnsembleConfig | None:
    """Return the committed list, or what it may be when nobody can be asked; None: as recorded."""
    if record is None or record.state == "open":
        return None
    return seen.servers.config or _with_joiner(cluster)


def _with_joiner(cluster: ZooKeeperCluster) -> EnsembleConfig | None:
    """Return the recorded members and the server whose joining was never seen to the end.

    If it did become a voter, the others may have no majority without it, so it has to wake too.
    """
    held, known = cluster.status.operation, cluster.status.members
    if held is None or held.step != "AddMember" or held.server_id is None:
        return None
    if held.server_id in {member.id for member in known}:
        return None
    members = [Member(member.id, "", member.role) for member in known]
    version = max((member.config_version or 0 for member in known), default=0)
    return EnsembleConfig(version, (*members, Member(held.server_id, "", OBSERVER)))
