"""What Knative's mutating webhook fills in: the object as it would be stored."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from local.eventing.kinds import BROKER_CLASS, DEFAULT_BROKER_CLASS

Object = dict[str, Any]

CHANNEL_CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "config-br-default-channel",
    "namespace": "knative-eventing",
}
DEFAULT_DELIVERY = {"retry": 10, "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"}


def defaulted(manifest: Object) -> Object:
    """Return a copy with the defaults of its kind filled in."""
    item = copy.deepcopy(manifest)
    fill = _FILLERS.get(item.get("kind", ""))
    if fill is not None and isinstance(item.get("spec", {}), dict):
        item.setdefault("spec", {})
        fill(item, item.setdefault("metadata", {}).get("namespace", ""))
    return item


def signed(manifest: Object, old: Object | None, user: str) -> Object:
    """Return a copy that names who made the object and who changed its spec last."""
    group = manifest["apiVersion"].partition("/")[0]
    item = copy.deepcopy(manifest)
    annotations = item["metadata"].setdefault("annotations", {})
    creator, modifier = f"{group}/creator", f"{group}/lastModifier"
    if old is None:
        annotations[creator] = annotations[modifier] = user
        return item
    before = old["metadata"].get("annotations") or {}
    unchanged = old.get("spec") == item.get("spec")
    for name, value in ((creator, before.get(creator)), (modifier, before.get(modifier))):
        if value is not None:
            annotations[name] = value
    if not unchanged:
        annotations[modifier] = user
    return item


def _broker(item: Object, namespace: str) -> None:
    metadata, spec = item["metadata"], item["spec"]
    annotations = metadata.get("annotations") or {}
    metadata["annotations"] = annotations
    annotations.setdefault(BROKER_CLASS, DEFAULT_BROKER_CLASS)
    if annotations[BROKER_CLASS] == DEFAULT_BROKER_CLASS:
        spec.setdefault("config", dict(CHANNEL_CONFIG))
    # The cluster's default delivery is taken as a whole or not at all.
    spec.setdefault("delivery", dict(DEFAULT_DELIVERY))
    _delivery(spec, namespace)


def _trigger(item: Object, namespace: str) -> None:
    metadata, spec = item["metadata"], item["spec"]
    spec.setdefault("filter", {})
    labels = metadata.get("labels") or {}
    metadata["labels"] = {**labels, "eventing.knative.dev/broker": spec.get("broker", "")}
    _destination(spec.get("subscriber"), namespace)
    _delivery(spec, namespace)


def _api_server_source(item: Object, namespace: str) -> None:
    item["spec"].setdefault("mode", "Reference")
    item["spec"].setdefault("serviceAccountName", "default")
    _destination(item["spec"].get("sink"), namespace)


def _ping_source(item: Object, namespace: str) -> None:
    item["spec"].setdefault("schedule", "* * * * *")
    _destination(item["spec"].get("sink"), namespace)


def _delivery(spec: Object, namespace: str) -> None:
    delivery = spec.get("delivery")
    if isinstance(delivery, dict):
        _destination(delivery.get("deadLetterSink"), namespace)


def _destination(destination: object, namespace: str) -> None:
    reference = destination.get("ref") if isinstance(destination, dict) else None
    if isinstance(reference, dict) and namespace:
        reference.setdefault("namespace", namespace)


_FILLERS: dict[str, Callable[[Object, str], None]] = {
    "Broker": _broker,
    "Trigger": _trigger,
    "ApiServerSource": _api_server_source,
    "PingSource": _ping_source,
}
