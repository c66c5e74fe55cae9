"""One function's slice of a cluster's status: built whole, written only when it differs.

A function owns some fields and some condition types (DESIGN section 3). Server-side apply takes
away what an apply leaves out, so the slice is always complete, and it is compared before it is
sent: an unneeded write is an event, and an event is a loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import CLUSTER
from functions.api.manifest import Manifest
from functions.api.status import Condition
from functions.planning.steps import WriteStatus


@dataclass(frozen=True, slots=True)
class Wanted:
    """A condition as it should read now; when it last changed is worked out from what was seen."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Slice:
    """What one function says of a cluster: its fields (None: not there) and its conditions.

    `owned_types` are all condition types the function may ever set, so that one it no longer
    wants is noticed.
    """

    manager: str
    fields: Mapping[str, Any]
    conditions: tuple[Wanted, ...]
    owned_types: frozenset[str]


def write_status(cluster: ZooKeeperCluster, part: Slice, now: datetime) -> tuple[WriteStatus, ...]:
    """Return the one step that makes the slice so, or nothing when it is so already."""
    wanted = _wanted_status(cluster, part, now)
    if wanted == _seen_status(cluster, part):
        return ()
    return (WriteStatus(status_manifest(cluster, wanted), part.manager),)


def seen_condition(cluster: ZooKeeperCluster, kind: str) -> Condition | None:
    """Return the condition of that type as it is in status."""
    return next((c for c in cluster.status.conditions if c.type == kind), None)


def has_turned(cluster: ZooKeeperCluster, wanted: Wanted) -> bool:
    """Whether this condition is about to change its status: the moment for an Event."""
    seen = seen_condition(cluster, wanted.type)
    return seen is None or seen.status != wanted.status


def since(cluster: ZooKeeperCluster, kind: str) -> str:
    """Return when the condition took its present status, or an empty string."""
    seen = seen_condition(cluster, kind)
    return (seen.last_transition_time or "") if seen is not None else ""


def timestamp(now: datetime) -> str:
    """Return RFC 3339 in seconds, as Kubernetes writes times."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def status_manifest(cluster: ZooKeeperCluster, status: Manifest) -> Manifest:
    """Return an apply of the status of exactly the object that was read."""
    return {
        "apiVersion": CLUSTER.api_version,
        "kind": CLUSTER.name,
        "metadata": {
            "name": cluster.metadata.name,
            "namespace": cluster.metadata.namespace,
            "uid": cluster.metadata.uid,
            "resourceVersion": cluster.metadata.resource_version,
        },
        "status": status,
    }


def _wanted_status(cluster: ZooKeeperCluster, part: Slice, now: datetime) -> Manifest:
    fields = {key: value for key, value in part.fields.items() if value not in (None, [], ())}
    conditions = [_condition(cluster, wanted, now) for wanted in part.conditions]
    return {**fields, "conditions": sorted(conditions, key=lambda c: str(c["type"]))}


def _condition(cluster: ZooKeeperCluster, wanted: Wanted, now: datetime) -> Manifest:
    seen = seen_condition(cluster, wanted.type)
    kept = seen is not None and seen.status == wanted.status
    return {
        "type": wanted.type,
        "status": wanted.status,
        "reason": wanted.reason,
        "message": wanted.message,
        "lastTransitionTime": seen.last_transition_time if seen and kept else timestamp(now),
        "observedGeneration": cluster.metadata.generation,
    }


def _seen_status(cluster: ZooKeeperCluster, part: Slice) -> Manifest:
    seen = cluster.status.manifest()
    fields = {key: seen[key] for key in part.fields if seen.get(key) not in (None, [])}
    conditions = [c for c in seen["conditions"] if c["type"] in part.owned_types]
    return {**fields, "conditions": sorted(conditions, key=lambda c: str(c["type"]))}
