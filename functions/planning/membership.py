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


def server_count(cluster: ZooKeeperCluster) -> int:
    """Return how many servers the record has: all that were ever made, and none more."""
    record = cluster.status.bootstrap
    return len(cluster.status.members or (record.members if record is not None else ()))


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, in the singular for one: `1 server`, `3 servers`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
