"""Who belongs to an ensemble, by the cluster's own record."""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster


def voters(cluster: ZooKeeperCluster) -> frozenset[int]:
    """Return the voters' ids: as last committed, else as first recorded, else as the spec asks."""
    status = cluster.status
    if status.members:
        return frozenset(m.id for m in status.members if m.role == "participant")
    if status.bootstrap is not None and status.bootstrap.members:
        return frozenset(member.id for member in status.bootstrap.members)
    return frozenset(range(1, cluster.spec.replicas + 1))


def quorum(count: int) -> int:
    """Return how many of `count` voters make a majority: floor(n / 2) + 1."""
    return count // 2 + 1


def may_start(cluster: ZooKeeperCluster) -> bool:
    """Whether servers may run: the record is made, and every volume of a new ensemble is on it.

    Volumes of ephemeral storage come with their pods, so they are recorded afterwards.
    """
    record = cluster.status.bootstrap
    if record is None:
        return False
    is_recorded = cluster.spec.storage.ephemeral or bool(record.volumes)
    return record.state != "open" or is_recorded


def is_stopped(cluster: ZooKeeperCluster) -> bool:
    """Whether no server is to run; spec.paused wins, and leaves everything as it is."""
    return cluster.spec.stopped and not cluster.spec.paused


def awaits_waking(cluster: ZooKeeperCluster) -> bool:
    """Whether the cluster is stopped before its servers could be made at all."""
    return is_stopped(cluster) and not may_start(cluster)


def server_count(cluster: ZooKeeperCluster) -> int:
    """Return how many pods the record needs: pods are numbered without a gap, members may not be.

    While a leader waits to leave last, the members are 1 and 3: three pods, or it could not serve.
    """
    record = cluster.status.bootstrap
    members = cluster.status.members or (record.members if record is not None else ())
    return max((member.id for member in members), default=0)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, in the singular for one: `1 server`, `3 servers`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
