"""What a pod says about itself: the downward API's fields and resources, and its QoS class."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from local.kube import Object
from local.node.errors import CannotStart
from local.node.quantities import parse_quantity, whole_units

# What one of the laptop's nodes offers; generous, so that nothing stays unschedulable.
NODE_CAPACITY: Mapping[str, str] = {
    "cpu": "8",
    "memory": "32Gi",
    "pods": "110",
    "ephemeral-storage": "100Gi",
}

_ENTRY = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")


def field_value(pod: Object, path: str) -> str:
    """The value of a `fieldRef`; raises CannotStart for a path the downward API does not have."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    entry = _ENTRY.match(path)
    if entry:
        return str((metadata.get(entry[1]) or {}).get(entry[2], ""))
    values = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "metadata.labels": _listed(metadata.get("labels")),
        "metadata.annotations": _listed(metadata.get("annotations")),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": status.get("podIP", ""),
        "status.podIPs": ",".join(entry["ip"] for entry in status.get("podIPs", [])),
        "status.hostIP": status.get("hostIP", ""),
        "status.hostIPs": ",".join(entry["ip"] for entry in status.get("hostIPs", [])),
    }
    if path not in values:
        raise CannotStart(
            "CreateContainerConfigError", f"fieldRef {path!r} is not a field of the downward API"
        )
    return str(values[path])


def _listed(entries: Mapping[str, str] | None) -> str:
    """Labels and annotations as the downward API writes them: sorted, one `key="value"` a line."""
    return "\n".join(
        f"{key}={json.dumps(value, ensure_ascii=False)}"
        for key, value in sorted((entries or {}).items())
    )


def resource_value(pod: Object, container: Object | None, reference: Object) -> str:
    """The value of a `resourceFieldRef`; a missing limit means what the node has."""
    owner = container
    if name := reference.get("containerName"):
        owner = next((item for item in pod["spec"]["containers"] if item["name"] == name), None)
    if owner is None:
        raise CannotStart(
            "CreateContainerConfigError", f"resourceFieldRef names no container: {reference}"
        )
    kind, _, resource = reference["resource"].partition(".")
    resources = owner.get("resources", {})
    quantity = (resources.get(kind) or {}).get(resource)
    if quantity is None:
        quantity = NODE_CAPACITY.get(resource, "0") if kind == "limits" else "0"
    return str(whole_units(quantity, reference.get("divisor") or "1"))


def qos_class(pod: Object) -> str:
    """Guaranteed, Burstable or BestEffort, by the kubelet's rule on cpu and memory."""
    containers = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
    resources = [container.get("resources") or {} for container in containers]
    if not any(_nonzero(entry) for entry in resources):
        return "BestEffort"
    return "Guaranteed" if all(_is_guaranteed(entry) for entry in resources) else "Burstable"


def _nonzero(resources: Object) -> bool:
    return any(
        parse_quantity((resources.get(kind) or {}).get(resource, "0")) > 0
        for kind in ("requests", "limits")
        for resource in ("cpu", "memory")
    )


def _is_guaranteed(resources: Object) -> bool:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return all(
        resource in limits
        and parse_quantity(requests.get(resource, limits[resource]))
        == parse_quantity(limits[resource])
        for resource in ("cpu", "memory")
    )
