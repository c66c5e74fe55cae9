"""Status conditions as Knative writes them: sorted by type, their times kept while unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

OIDC_OFF = "authentication-oidc feature disabled"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, as far as a reconciler decides it."""

    type: str
    status: str = "True"
    reason: str = ""
    message: str = ""
    severity: str = ""


def true(kind: str, reason: str = "", message: str = "") -> Condition:
    return Condition(kind, "True", reason, message)


def false(kind: str, reason: str, message: str) -> Condition:
    return Condition(kind, "False", reason, message)


def unknown(kind: str, reason: str = "", message: str = "") -> Condition:
    return Condition(kind, "Unknown", reason, message)


def with_ready(conditions: Sequence[Condition]) -> list[Condition]:
    """Add Ready: the first condition that is False, else the first Unknown, else True."""
    for status in ("False", "Unknown"):
        for one in conditions:
            if one.status == status:
                return [*conditions, Condition("Ready", status, one.reason, one.message)]
    return [*conditions, Condition("Ready")]


def is_ready(conditions: Sequence[Condition]) -> bool:
    return any(one.type == "Ready" and one.status == "True" for one in conditions)


def status_of(
    item: Mapping[str, Any], conditions: Sequence[Condition], rest: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the whole status for an object."""
    before = {one["type"]: one for one in (item.get("status") or {}).get("conditions") or []}
    written = [_written(one, before.get(one.type)) for one in conditions]
    return {
        **{name: value for name, value in rest.items() if value is not None},
        "conditions": sorted(written, key=lambda one: one["type"]),
        "observedGeneration": item["metadata"].get("generation", 0),
    }


def _written(condition: Condition, before: Mapping[str, Any] | None) -> dict[str, str]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    same = before is not None and before["status"] == condition.status
    fields = {
        "lastTransitionTime": before["lastTransitionTime"] if before and same else now,
        "message": condition.message,
        "reason": condition.reason,
        "severity": condition.severity,
        "status": condition.status,
        "type": condition.type,
    }
    return {name: value for name, value in fields.items() if value}
