"""What a policy can see of a pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.policies.ports import protocol_of

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod with an address of its own, and the numbers of its ports by protocol and name."""

    namespace: str
    address: str
    labels: Mapping[str, str]
    ports: Mapping[tuple[str, str], int]


def pod_of(manifest: Object, address: str) -> Pod:
    metadata = manifest["metadata"]
    return Pod(
        namespace=metadata["namespace"],
        address=address,
        labels=metadata.get("labels") or {},
        ports=dict(_named_ports(manifest["spec"])),
    )


def _named_ports(spec: Object) -> Iterator[tuple[tuple[str, str], int]]:
    # A container that goes on running beside the others is written among the first ones.
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        for port in container.get("ports") or ():
            if port.get("name"):
                yield (protocol_of(port), port["name"]), port["containerPort"]
