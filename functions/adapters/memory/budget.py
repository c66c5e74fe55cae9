"""Whether the disruption budgets allow one more pod to go, as the eviction API decides it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from functions.api.manifest import Selector

Object = dict[str, Any]


def blocking(pod: Object, pods: Iterable[Object], budgets: Iterable[Object]) -> Object | None:
    """Return a budget that does not allow `pod`, one of `pods` of its namespace, to go now."""
    if not is_ready(pod):
        return None
    pods = list(pods)
    return next((budget for budget in budgets if _blocks(budget, pod, pods)), None)


def is_ready(pod: Object) -> bool:
    """Whether the pod's condition Ready is True and it is not on its way out."""
    conditions = pod.get("status", {}).get("conditions", [])
    ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def has_labels(item: Object, labels: Selector) -> bool:
    """Whether `item` carries all `labels`; of several values any one."""
    carried = item["metadata"].get("labels") or {}
    return all(
        carried.get(name) in (value if isinstance(value, tuple) else (value,))
        for name, value in labels.items()
    )


def _blocks(budget: Object, pod: Object, pods: list[Object]) -> bool:
    spec = budget["spec"]
    labels = spec["selector"].get("matchLabels", {})
    if not has_labels(pod, labels):
        return False
    covered = [other for other in pods if has_labels(other, labels)]
    healthy = sum(map(is_ready, covered))
    if "minAvailable" in spec:
        return healthy <= _number(spec["minAvailable"])
    return len(covered) - healthy >= _number(spec["maxUnavailable"])


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError(f"the twin knows budgets by number only, not {value!r}")
    return value
