"""One function's slice of an object's status: built whole, written only when it differs.

A function owns some fields and some condition types (DESIGN section 3). Server-side apply takes
away what an apply leaves out, so the slice is always complete, and it is compared before it is
sent: an unneeded write is an event, and an event is a loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from functions.api.manifest import Manifest
from functions.api.resource import Resource
from functions.api.status import Condition
from functions.planning.steps import WriteStatus

# Of reconcile-cluster: whether the owned objects are as the spec of `observedGeneration` wants.
RECONCILED = "Reconciled"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A condition as it should read now; when it last changed is worked out from what was seen."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Slice:
    """What one function says of an object: its fields (None: not there) and its conditions.

    `owned_types` are all condition types the function may ever set, so that one it no longer
    wants is noticed.
    """

    manager: str
    fields: Mapping[str, Any]
    conditions: tuple[Wanted, ...]
    owned_types: frozenset[str]


def write_status(of: Resource, part: Slice, now: datetime) -> tuple[WriteStatus, ...]:
    """Return the one step that makes the slice so, or nothing when it is so already."""
    wanted = _wanted_status(of, part, now)
    if wanted == _seen_status(of, part):
        return ()
    return (WriteStatus(status_manifest(of, wanted), part.manager),)


def seen_condition(of: Resource, kind: str) -> Condition | None:
    """Return the condition of that type as it is in status."""
    return next((c for c in of.status.conditions if c.type == kind), None)


def has_turned(of: Resource, wanted: Wanted) -> bool:
    """Whether this condition is about to change its status: the moment for an Event."""
    seen = seen_condition(of, wanted.type)
    return seen is None or seen.status != wanted.status


def since(of: Resource, kind: str) -> str:
    """Return when the condition took its present status, or an empty string."""
    seen = seen_condition(of, kind)
    return (seen.last_transition_time or "") if seen is not None else ""


def timestamp(now: datetime) -> str:
    """Return RFC 3339 in seconds, as Kubernetes writes times."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def status_manifest(of: Resource, status: Manifest) -> Manifest:
    """Return an apply of the status of exactly the object that was read."""
    return {
        "apiVersion": of.kind.api_version,
        "kind": of.kind.name,
        "metadata": {
            "name": of.metadata.name,
            "namespace": of.metadata.namespace,
            "uid": of.metadata.uid,
            "resourceVersion": of.metadata.resource_version,
        },
        "status": status,
    }


def _wanted_status(of: Resource, part: Slice, now: datetime) -> Manifest:
    fields = {key: value for key, value in part.fields.items() if value not in (None, [], ())}
    conditions = [_condition(of, wanted, now) for wanted in part.conditions]
    return {**fields, "conditions": sorted(conditions, key=lambda c: str(c["type"]))}


def _condition(of: Resource, wanted: Wanted, now: datetime) -> Manifest:
    seen = seen_condition(of, wanted.type)
    kept = seen is not None and seen.status == wanted.status
    return {
        "type": wanted.type,
        "status": wanted.status,
        "reason": wanted.reason,
        "message": wanted.message,
        "lastTransitionTime": seen.last_transition_time if seen and kept else timestamp(now),
        "observedGeneration": of.metadata.generation,
    }


def _seen_status(of: Resource, part: Slice) -> Manifest:
    seen = of.status.manifest()
    fields = {key: seen[key] for key in part.fields if seen.get(key) not in (None, [])}
    conditions = [c for c in seen["conditions"] if c["type"] in part.owned_types]
    return {**fields, "conditions": sorted(conditions, key=lambda c: str(c["type"]))}
