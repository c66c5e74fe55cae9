"""The instruction a restore gives to whoever touches the servers: the cluster's `status.operation`.

`scale` runs as many pods as the step needs, and each server's preparation reads the step before it
starts anything (`functions.planning.restoring`). `restore` alone moves it on, by compare-and-set;
`scale` does so only once the ZooKeeperRestore is gone.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from functions.api.cluster import ZooKeeperCluster
from functions.planning import operation
from functions.planning.ensemble import SeenServers
from functions.planning.membership import quorum, server_count, voters
from functions.planning.operation import Step
from functions.planning.restoring import RestoreStep
from functions.planning.seen import SeenPod, SeenStatefulSet
from functions.planning.steps import Plan

MOVER = "Restore"
_STEPS = frozenset(step.value for step in RestoreStep)


def step_of(cluster: ZooKeeperCluster) -> RestoreStep | None:
    """Return the step of the restore that holds the cluster's servers, whichever that is."""
    held = cluster.status.operation
    is_known = held is not None and held.type == MOVER and held.step in _STEPS
    return RestoreStep(held.step) if held is not None and is_known else None


def own_step(cluster: ZooKeeperCluster, uid: str) -> RestoreStep | None:
    """Return the step of the restore with this uid, or None while it does not hold the servers."""
    held = cluster.status.operation
    return step_of(cluster) if held is not None and held.owner_uid == uid else None


def move_to(
    cluster: ZooKeeperCluster, step: RestoreStep, target: str, uid: str, now: datetime
) -> Plan:
    """Return the write that makes this the step, of a restore that holds the servers or may."""
    return operation.take(cluster, Step(MOVER, step, target, owner_uid=uid), now)


def release(cluster: ZooKeeperCluster) -> Plan:
    """Return the write that lets other movers go on."""
    return operation.clear(cluster, MOVER)


def has_stopped(found: SeenStatefulSet | None, pods: tuple[SeenPod, ...]) -> bool:
    """Whether no server runs, and none is about to: the controller knows that it shall not."""
    return not pods and (found is None or (found.replicas == 0 and found.is_observed))


def has_quorum(cluster: ZooKeeperCluster, servers: SeenServers) -> bool:
    """Whether a majority of the voters serves where these servers were asked."""
    members = voters(cluster)
    serving = {number for number, it in servers.stats.items() if it.mode} & members
    return servers.leader is not None and len(serving) >= quorum(len(members))


def serves_again(
    cluster: ZooKeeperCluster, found: SeenStatefulSet | None, servers: SeenServers
) -> bool:
    """Whether a majority serves, and is to go on: not one whose pods are about to be stopped."""
    is_to_run = found is not None and found.replicas >= server_count(cluster) and found.is_observed
    return is_to_run and has_quorum(cluster, servers)


def step_back(step: RestoreStep, *, is_empty: bool) -> RestoreStep | None:
    """Return the next step on the way back to the own data, or None to stay: servers must stop.

    Nobody has touched the data before Start, so from Stop it is enough to start again. From Start
    on every pod must be gone before the first one starts with its own data: `is_empty` says so.
    """
    match step:
        case RestoreStep.ARM | RestoreStep.STOP:
            return RestoreStep.START_BACK
        case RestoreStep.START | RestoreStep.OPEN:
            return RestoreStep.STOP_BACK
        case RestoreStep.STOP_BACK:
            return RestoreStep.START_BACK if is_empty else None
        case RestoreStep.START_BACK:
            return None
        case never:
            assert_never(never)
