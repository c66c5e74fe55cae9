"""The number of servers after the first creation: what `scale` does about the next move.

Each move is recorded as the operation before it is made, and the member list as it was seen goes
into `status.members` before and after (DESIGN 11.3): joiners read it.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import PERSISTENT_VOLUME_CLAIM, POD, Ref
from functions.manifests.names import pod_name
from functions.manifests.server_config import server_line
from functions.planning import operation, refusal
from functions.planning.client_ports import are_alike, askable, change, corrected_lines
from functions.planning.ensemble import SeenServers
from functions.planning.membership import counted, server_count
from functions.planning.operation import Step
from functions.planning.scale_slice import MANAGER, SCALED, run_servers
from functions.planning.scaling import (
    AddMember,
    Change,
    CorrectList,
    Hold,
    ListChange,
    Move,
    RemoveMember,
    RemoveVolumes,
    ReplacePod,
    RunServers,
    SeenEnsemble,
    next_move,
    wanted_roles,
)
from functions.planning.seen import SeenStatefulSet
from functions.planning.status import Wanted
from functions.planning.steps import (
    Announce,
    ApplyToGeneration,
    DeleteObject,
    LookAgain,
    Plan,
    Reconfigure,
)

MOVER = "Scale"

_NOBODY_TO_ASK = Hold(
    "NobodyToAsk",
    "No server that stays takes a session by which its list of members could be changed. While "
    "servers are rolled from one way of taking clients to the other, the next one does.",
)


def seen_ensemble(
    servers: SeenServers, stateful_set: SeenStatefulSet, recorded: int
) -> SeenEnsemble:
    """Return what the next move is decided from."""
    serving = {number for number, stats in servers.stats.items() if stats.mode}
    config = servers.config
    return SeenEnsemble(
        roles={member.id: member.role for member in config.members} if config is not None else {},
        version=config.version if config is not None else 0,
        serving=frozenset(serving),
        leader=servers.leader or 0,
        replicas=stateful_set.replicas,
        recorded=recorded,
    )


def move_of(
    cluster: ZooKeeperCluster, servers: SeenServers, found: SeenStatefulSet
) -> tuple[Move | None, SeenEnsemble]:
    """Return the next move and what it was decided from."""
    needed = max(server_count(cluster), _being_started(cluster))
    seen = seen_ensemble(servers, found, needed)
    move = next_move(wanted_roles(cluster.spec.replicas, cluster.spec.observers), seen)
    if move is None and (wrong := corrected_lines(cluster, servers)) and are_alike(servers):
        move = CorrectList(tuple(wrong), seen.version)
    is_possible = not isinstance(move, ListChange) or askable(servers, _leaving(move))
    return (move if is_possible else _NOBODY_TO_ASK), seen


def _leaving(move: ListChange) -> int:
    return move.id if isinstance(move, RemoveMember) else 0


def _being_started(cluster: ZooKeeperCluster) -> int:
    """Return how many pods the step on record needs: it may have made a member nobody wrote down.

    Without that server's pod the others may be no majority, and can never say that it is one.
    """
    step = cluster.status.operation
    if step is None or step.step not in ("AddMember", "RunServers"):
        return 0
    return max(step.server_id or 0, step.replicas or 0)


def condition_of(cluster: ZooKeeperCluster, move: Move | None, seen: SeenEnsemble) -> Wanted:
    """Return the condition Scaled: where the ensemble is on its way."""
    if move is None:
        told = f"The ensemble has {_described(cluster)}, as wanted."
        return Wanted(SCALED, "True", "AsWanted", told)
    members = counted(len(seen.roles) or seen.recorded, "member")
    there = f"{members} now, {_described(cluster)} wanted"
    if isinstance(move, Hold):
        return Wanted(SCALED, "False", move.reason, f"{move.sentence} ({there}.)")
    if refused := refusal.standing(cluster, operation_of(cluster, move)):
        return refused
    return Wanted(SCALED, "False", "Scaling", f"{_sentence(cluster, move)} ({there}.)")


def _described(cluster: ZooKeeperCluster) -> str:
    servers = counted(cluster.spec.replicas, "server")
    observers = cluster.spec.observers
    return f"{servers} and {counted(observers, 'observer')}" if observers else servers


def make(
    cluster: ZooKeeperCluster,
    move: Move | None,
    servers: SeenServers,
    found: SeenStatefulSet,
    now: datetime,
) -> Plan:
    """Return the steps of one move: recorded first, then done, then looked at."""
    if move is None or isinstance(move, Hold):
        return operation.clear(cluster, MOVER)
    if operation.is_held_by_other(cluster, MOVER):
        return ()
    step = operation_of(cluster, move)
    if recorded := operation.take(cluster, step, now):
        return (_news(cluster, move), *recorded)
    if released := refusal.release(cluster, step):
        return released
    return (*_steps(cluster, move, servers, found), LookAgain())


def operation_of(cluster: ZooKeeperCluster, move: Change) -> Step:
    """Return the step as it goes on record."""
    target = _described(cluster)
    match move:
        case AddMember(id=number, from_config=version):
            return Step(MOVER, "AddMember", target, server_id=number, config_version=version)
        case RemoveMember(id=number, from_config=version):
            return Step(MOVER, "RemoveMember", target, server_id=number, config_version=version)
        case RunServers(replicas=replicas):
            return Step(MOVER, "RunServers", target, replicas=replicas)
        case CorrectList(from_config=version):
            return Step(MOVER, "CorrectList", _numbers(move), config_version=version)
        case RemoveVolumes():
            return Step(MOVER, "RemoveVolumes", _named(move))
        case ReplacePod(name=name, uid=uid):
            return Step(MOVER, "ReplacePod", name, pod_uid=uid)
        case _:
            assert_never(move)


def _server(cluster: ZooKeeperCluster, number: int) -> str:
    """Return both names of a server: people see pods, ZooKeeper's own logs its id."""
    return f"Server {number} ({pod_name(cluster, number - 1)})"


def _sentence(cluster: ZooKeeperCluster, move: Change) -> str:
    match move:
        case AddMember(id=number, role=role):
            return f"{_server(cluster, number)} becomes a member ({role})."
        case RemoveMember(id=number):
            return f"{_server(cluster, number)} is taken out of the ensemble."
        case RunServers(replicas=replicas):
            return f"The number of pods becomes {replicas}."
        case CorrectList():
            return f"The member list is told where server {_numbers(move)} takes clients."
        case RemoveVolumes():
            return f"Volumes of servers that left are deleted: {_named(move)}."
        case ReplacePod(name=name):
            return f"{name} cannot start: its own member list lacks it. The pod is replaced."
        case _:
            assert_never(move)


def _numbers(move: CorrectList) -> str:
    return ", ".join(map(str, move.ids))


def _named(move: RemoveVolumes) -> str:
    return ", ".join(name for name, _ in move.claims)


def _news(cluster: ZooKeeperCluster, move: Change) -> Announce:
    if isinstance(move, ReplacePod):
        return Announce("Warning", "PodReplaced", _sentence(cluster, move), move.uid)
    version = getattr(move, "from_config", 0)
    return Announce("Normal", "Scaling", _sentence(cluster, move), f"{version:x}")


def _steps(
    cluster: ZooKeeperCluster,
    move: Change,
    servers: SeenServers,
    found: SeenStatefulSet,
) -> Plan:
    match move:
        case AddMember() | CorrectList():
            return (_reconfigure(cluster, move, servers),)
        case RemoveMember(replicas=replicas):
            # A removed leader still takes clients, who wait for it: its pod stops at once.
            stopped = () if replicas is None else (_stop_servers(cluster, found, replicas),)
            return (_reconfigure(cluster, move, servers), *stopped)
        case RunServers(replicas=replicas):
            return (run_servers(cluster, found, replicas),)
        case RemoveVolumes(claims=claims):
            return tuple(_deletion(cluster, *claim) for claim in claims)
        case ReplacePod(name=name, uid=uid):
            return (DeleteObject(Ref(POD, cluster.metadata.namespace, name), uid),)
        case _:
            assert_never(move)


def _deletion(cluster: ZooKeeperCluster, name: str, uid: str) -> DeleteObject:
    return DeleteObject(Ref(PERSISTENT_VOLUME_CLAIM, cluster.metadata.namespace, name), uid)


def _reconfigure(cluster: ZooKeeperCluster, move: ListChange, servers: SeenServers) -> Reconfigure:
    """Ask a server that stays; every other one that serves can tell how it went."""
    lines, leaving = corrected_lines(cluster, servers), _leaving(move)
    lines.pop(leaving, None)
    if isinstance(move, AddMember):
        is_closed = move.id in servers.doors
        lines[move.id] = server_line(cluster, move.id - 1, move.role, is_plaintext_closed=is_closed)
    return change(
        servers,
        askable(servers, leaving),
        joining=",".join(lines[number] for number in sorted(lines)),
        leaving=str(leaving or ""),
        version=move.from_config,
    )


def _stop_servers(
    cluster: ZooKeeperCluster, found: SeenStatefulSet, replicas: int
) -> ApplyToGeneration:
    """Return the same by the generation, not the version: it follows a removal at once.

    The pods' readiness, which changes with the election, is part of the object.
    """
    step = run_servers(cluster, found, replicas)
    return ApplyToGeneration(step.manifest, MANAGER, found.generation)
