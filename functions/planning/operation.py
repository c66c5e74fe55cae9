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
OF_SCALE = frozenset({"Scale", "Stop", "Recover"})


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
    owner_uid: str | None = None


def is_held_by_other(cluster: ZooKeeperCluster, mover: str) -> bool:
    """Whether another mover's step is under way; one that says what it waits for may be taken."""
    held = cluster.status.operation
    return held is not None and not _is_of(held.type, mover) and held.message is None


def _is_of(held: str, mover: str) -> bool:
    return held == mover or OF_SCALE.issuperset((held, mover))


def take(cluster: ZooKeeperCluster, step: Step, now: datetime) -> Plan:
    """Return the write that records the step, or nothing when it is on record already."""
    if is_recorded(cluster, step):
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
        "ownerUid": step.owner_uid,
    }
    operation = {key: value for key, value in wanted.items() if value is not None}
    return (WriteStatus(status_manifest(cluster, {"operation": operation}), MANAGER), LookAgain())


def clear(cluster: ZooKeeperCluster, mover: str) -> Plan:
    """Return the write that ends the mover's own operation, or nothing when it has none."""
    operation = cluster.status.operation
    if operation is None or not _is_of(operation.type, mover):
        return ()
    return (WriteStatus(status_manifest(cluster, {}), MANAGER), LookAgain())


def release(cluster: ZooKeeperCluster, step: Step, why: str) -> Plan:
    """Return the write that lets other movers go first, or nothing when it says so already.

    The step stays on record: its mover goes on with it if nobody took its place.
    """
    held = cluster.status.operation
    if held is None or not is_recorded(cluster, step) or held.message is not None:
        return ()
    said = held.manifest() | {"message": why}
    return (WriteStatus(status_manifest(cluster, {"operation": said}), MANAGER), LookAgain())


def is_recorded(cluster: ZooKeeperCluster, step: Step) -> bool:
    seen = cluster.status.operation
    return seen is not None and step == Step(
        seen.type,
        seen.step,
        seen.target,
        seen.server_id,
        seen.config_version,
        seen.replicas,
        seen.pod_uid,
        seen.owner_uid,
    )
