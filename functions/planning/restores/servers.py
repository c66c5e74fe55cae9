"""What `scale` does while a restore holds the servers: as many run as the step says, no more.

Members, volumes and the disruption budget stay as they are. When the restore is gone and its
operation is not, nobody else would ever start the servers: then `scale` moves the operation on,
back to the own data, or forward where the restored ensemble was looked at already.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import POD, Ref
from functions.api.quarantine import quarantine_port
from functions.manifests.names import server_id
from functions.manifests.server_config import server_line
from functions.planning import refusal
from functions.planning.client_ports import askable, change
from functions.planning.denial import say_and_try
from functions.planning.member_list import parse_member
from functions.planning.membership import server_count
from functions.planning.restores import hold
from functions.planning.restoring import RestoreStep
from functions.planning.scale_slice import (
    PROGRESS,
    SCALED,
    Seen,
    is_ours,
    report,
    run_servers,
)
from functions.planning.seen import SeenPod, SeenStatefulSet
from functions.planning.status import Wanted
from functions.planning.steps import Announce, DeleteObject, LookAgain, Plan

RESTORING = "Restoring"
_TOLD = {
    RestoreStep.ARM: "The servers are about to stop for a restore.",
    RestoreStep.STOP: "The servers stop for a restore.",
    RestoreStep.START: "The servers start with a backup's data, closed to clients.",
    RestoreStep.OPEN: "The restored servers are opened to clients.",
    RestoreStep.STOP_BACK: "The servers stop: the restore is taken back.",
    RestoreStep.START_BACK: "The servers start with their own data again: a restore is taken back.",
}


def plan_held(cluster: ZooKeeperCluster, seen: Seen, now: datetime) -> Plan:
    """Return what the step asks for; nobody is added or removed until the restore is over."""
    step, found = hold.step_of(cluster), seen.stateful_set
    assert step is not None, "a restore holds the servers"

    def say(wanted: Wanted) -> Plan:
        return report(cluster, cluster.status.bootstrap, wanted, now)

    tried = _next_steps(cluster, step, found, seen, now)
    return say_and_try(cluster, _condition(cluster, step), PROGRESS, tried, say)


def _next_steps(
    cluster: ZooKeeperCluster,
    step: RestoreStep,
    found: SeenStatefulSet | None,
    seen: Seen,
    now: datetime,
) -> Plan:
    if seen.is_orphaned and (moved := _take_over(cluster, step, seen, now)):
        return moved
    if found is None or not is_ours(cluster, found):
        return ()  # reconcile-cluster makes it, which is an event.
    return _servers(cluster, step, found, seen)


def _condition(cluster: ZooKeeperCluster, step: RestoreStep) -> Wanted:
    told = f"{_TOLD[step]} None is added or removed until that is over."
    refused = refusal.kept(cluster) if step is RestoreStep.OPEN else None
    return refused or Wanted(SCALED, "False", RESTORING, told)


def _servers(
    cluster: ZooKeeperCluster, step: RestoreStep, found: SeenStatefulSet, seen: Seen
) -> Plan:
    match step:
        case RestoreStep.ARM:
            return ()
        case RestoreStep.STOP | RestoreStep.STOP_BACK:
            wanted = 0
        case RestoreStep.START | RestoreStep.OPEN | RestoreStep.START_BACK:
            wanted = server_count(cluster)
        case never:
            assert_never(never)
    if found.replicas != wanted:
        return (run_servers(cluster, found, wanted), LookAgain())
    if not wanted:
        return ()  # Each pod that goes makes an event.
    if sick := _outdated(cluster, found, seen):
        return tuple(
            DeleteObject(Ref(POD, cluster.metadata.namespace, pod.name), pod.uid) for pod in sick
        )
    return _open(cluster, seen) if step is RestoreStep.OPEN else ()


def _outdated(cluster: ZooKeeperCluster, found: SeenStatefulSet, seen: Seen) -> list[SeenPod]:
    """Return the pods that serve nobody and are of an older revision: what is wrong with them may
    have been mended in the spec, and `roll` waits for the restore."""
    if not found.is_observed or not found.update_revision:
        return []
    answers = {**seen.servers.stats, **seen.closed.stats}
    return [
        pod
        for pod in seen.pods
        if pod.revision != found.update_revision
        and not pod.is_deleting
        and not pod.is_ready
        and server_id(cluster, pod.name) not in answers
    ]


def _open(cluster: ZooKeeperCluster, seen: Seen) -> Plan:
    """Return the one change that puts every member's client port back (docs/decisions/0006)."""
    config, servers = seen.closed.config, seen.closed
    if config is None:
        return ()
    lines = [
        server_line(
            cluster, member.id - 1, member.role, is_plaintext_closed=member.id in servers.doors
        )
        for member in config.members
    ]
    # Servers that take clients by TLS alone stay as they are: their port for it opens by a roll.
    if set(map(parse_member, lines)) == set(config.members) or not (asked := askable(servers)):
        return ()
    opened = change(
        servers,
        asked,
        joining=",".join(lines),
        leaving="",
        version=config.version,
        port=quarantine_port(cluster.spec),
    )
    return (opened, LookAgain())


def _take_over(cluster: ZooKeeperCluster, step: RestoreStep, seen: Seen, now: datetime) -> Plan:
    """Return the move to the next step of a restore that is gone; nothing: it stays at this one."""
    held = cluster.status.operation
    assert held is not None, "a restore holds the servers"
    uid = held.owner_uid or ""
    is_forward = bool(uid) and cluster.status.restored == uid
    if _is_over(cluster, step, seen, is_forward):
        return (*_news(held.target, is_forward), *hold.release(cluster))
    following = _following(step, seen, is_forward)
    return hold.move_to(cluster, following, held.target, uid, now) if following is not None else ()


def _is_over(cluster: ZooKeeperCluster, step: RestoreStep, seen: Seen, is_forward: bool) -> bool:
    last = RestoreStep.OPEN if is_forward else RestoreStep.START_BACK
    is_untouched = step is RestoreStep.ARM and not is_forward
    return is_untouched or (
        step is last and hold.serves_again(cluster, seen.stateful_set, seen.servers)
    )


def _following(step: RestoreStep, seen: Seen, is_forward: bool) -> RestoreStep | None:
    if is_forward:
        return None if step is RestoreStep.OPEN else RestoreStep.OPEN
    is_empty = hold.has_stopped(seen.stateful_set, seen.pods)
    return hold.step_back(step, is_empty=is_empty)


def _news(target: str, is_forward: bool) -> Plan:
    data = "the backup's data" if is_forward else "their own data"
    told = (
        f"The ZooKeeperRestore {target} is gone: the servers go on with {data}. What it left lies "
        "in the folder .restore of their volumes."
    )
    return (Announce("Warning", "RestoreGone", told),)
