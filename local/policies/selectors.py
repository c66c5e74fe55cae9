"""Label selectors: which objects a policy means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def is_selected(labels: Mapping[str, str], selector: Object | None) -> bool:
    """Whether these labels are meant; a selector that says nothing means all."""
    wanted = selector or {}
    are_equal = (wanted.get("matchLabels") or {}).items() <= labels.items()
    return are_equal and all(_fits(labels, one) for one in wanted.get("matchExpressions") or ())


def _fits(labels: Mapping[str, str], expression: Object) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            # As everywhere in Kubernetes, a label that is not there is none of the values.
            return value not in values
        case "Exists":
            return value is not None
        case _:
            return value is None
