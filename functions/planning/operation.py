"""The lock of everything that moves servers: `status.operation` (DESIGN 11.7).

One operation is one step, never the whole journey. It is written by compare-and-set before the
step is taken and says what it is about, so that whoever comes after a crash knows what may have
happened. All movers write it under one field manager; a merge of two would be a lock nobody owns.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.planning.status import status_manifest, timestamp
from functions.planning.steps import LookAgain, Plan, WriteStatus

MANAGER = "zookeeper-operation"
# What `scale` does: it goes on from any step of its own, and ends it.
OF_SCALE = frozenset({"Scale", "Stop"})


@dataclass(frozen=True, slots=True)
class Step:
    """What is done: `type` names the mover, the rest what it is about to do to whom."""

    type: str
    step: str
    target: str
    server_id: int | None = None
    config_version: int | None = None
    replicas: int | None = None
    pod_uid: str | None = None


def is_held_by_other(cluster: ZooKeeperCluster, mover: str) -> bool:
    """Whether another mover's step is under way."""
    operation = cluster.status.operation
    return operation is not None and not _is_of(operation.type, mover)


def _is_of(held: str, mover: str) -> bool:
    return held == mover or OF_SCALE.issuperset((held, mover))


def take(cluster: ZooKeeperCluster, step: Step, now: datetime) -> Plan:
    """Return the write that records the step, or nothing when it is on record already."""
    if _is_recorded(cluster, step):
        return ()
    wanted = {
        "type": step.type,
        "step": step.step,
        "target": step.target,
        "startedAt": timestamp(now),
        "serverId": step.server_id,
        "configVersion": step.config_version,
        "replicas": step.replicas,
        "podUid": step.pod_uid,
    }
    operation = {key: value for key, value in wanted.items() if value is not None}
    return (WriteStatus(status_manifest(cluster, {"operation": operation}), MANAGER), LookAgain())


def clear(cluster: ZooKeeperCluster, mover: str) -> Plan:
    """Return the write that ends the mover's own operation, or nothing when it has none."""
    operation = cluster.status.operation
    if operation is None or not _is_of(operation.type, mover):
        return ()
    return (WriteStatus(status_manifest(cluster, {}), MANAGER), LookAgain())


def _is_recorded(cluster: ZooKeeperCluster, step: Step) -> bool:
    seen = cluster.status.operation
    return seen is not None and step == Step(
        seen.type,
        seen.step,
        seen.target,
        seen.server_id,
        seen.config_version,
        seen.replicas,
        seen.pod_uid,
    )
