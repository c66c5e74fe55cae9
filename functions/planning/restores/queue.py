"""Restores of one ensemble go one after the other: the one that was made first goes first."""

from __future__ import annotations

from collections.abc import Sequence

from functions.api.restore import ZooKeeperRestore
from functions.planning.restores.decision import is_over


def ahead_of(restore: ZooKeeperRestore, cluster: str, others: Sequence[ZooKeeperRestore]) -> str:
    """Return the restore of the same cluster that goes before this one, or an empty string."""
    before = [
        other
        for other in others
        if other.status.cluster == cluster and not is_over(other) and _age(other) < _age(restore)
    ]
    return min(before, key=_age).metadata.name if before else ""


def _age(restore: ZooKeeperRestore) -> tuple[str, str]:
    return (restore.metadata.creation_timestamp or "", restore.metadata.uid)
