"""The events an ApiServerSource makes of the changes it watches: pure, values in, values out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local.eventing.events import Event
from local.eventing.kinds import guessed_plural

VERBS = {"ADDED": "add", "MODIFIED": "update", "DELETED": "delete"}
MODES = {"Reference": "ref", "Resource": "resource"}


def event_types(mode: str) -> list[str]:
    return [f"dev.knative.apiserver.{MODES[mode]}.{verb}" for verb in ("add", "delete", "update")]


def change_event(change: str, item: Mapping[str, Any], mode: str, source: str) -> Event:
    """Return the event for one watch event; the sender adds id, time and overrides."""
    version, kind = item["apiVersion"], item["kind"]
    name = item["metadata"]["name"]
    namespace = item["metadata"].get("namespace", "")
    plural = guessed_plural(kind)
    return Event(
        {
            "type": f"dev.knative.apiserver.{MODES[mode]}.{VERBS[change]}",
            "source": source,
            "subject": f"/apis/{version}/namespaces/{namespace}/{plural}/{name}",
            "kind": kind,
            "apiversion": version,
            "name": name,
            "namespace": namespace,
        },
        _data(item, mode),
        "application/json",
    )


def _data(item: Mapping[str, Any], mode: str) -> bytes:
    if mode == "Resource":
        return json.dumps(item, separators=(",", ":")).encode()
    reference = {
        "kind": item["kind"],
        "namespace": item["metadata"].get("namespace"),
        "name": item["metadata"]["name"],
        "apiVersion": item["apiVersion"],
    }
    present = {name: value for name, value in reference.items() if value}
    return json.dumps(present, separators=(",", ":")).encode()


def passes_owner(item: Mapping[str, Any], owner: Mapping[str, Any] | None) -> bool:
    """Tell whether the object's controller is of the wanted kind; the kind itself never passes."""
    if not owner:
        return True
    return any(
        reference.get("controller")
        and reference["apiVersion"] == owner["apiVersion"]
        and reference["kind"] == owner["kind"]
        for reference in item["metadata"].get("ownerReferences") or []
    )


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """Write a LabelSelector as the query parameter of list and watch."""
    if not selector:
        return ""
    labels = selector.get("matchLabels") or {}
    terms = [f"{name}={value}" for name, value in sorted(labels.items())]
    for rule in selector.get("matchExpressions") or []:
        values = ",".join(rule.get("values") or [])
        match rule["operator"]:
            case "In":
                terms.append(f"{rule['key']} in ({values})")
            case "NotIn":
                terms.append(f"{rule['key']} notin ({values})")
            case "Exists":
                terms.append(rule["key"])
            case _:
                terms.append(f"!{rule['key']}")
    return ",".join(terms)


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Evaluate a LabelSelector against labels."""
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(name) != value for name, value in wanted.items()):
        return False
    return all(_rule_matches(rule, labels) for rule in selector.get("matchExpressions") or [])


def _rule_matches(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = rule["key"], rule.get("values") or []
    match rule["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
