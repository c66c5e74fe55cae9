"""The two Kubernetes APIs one suite is held against, and the objects it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from functions.adapters.kubernetes import KubernetesApi
from functions.adapters.memory import MemoryKube
from functions.api.kinds import CLUSTER, CONFIG_MAP, Kind, Ref
from functions.api.manifest import Manifest
from kubectl_zk.session import Kubernetes
from tests.contract.api_server import ApiServer


class Side(Protocol):
    """One of the two APIs under test, and what a test needs beside the port."""

    @property
    def kube(self) -> Kubernetes: ...

    @property
    def namespace(self) -> str: ...

    def edit(self, manifest: Manifest, *, manager: str, subresource: str = "") -> None:
        """Replace the object (PUT), as kubectl edit or a controller does."""
        ...


@dataclass(frozen=True)
class Twin:
    kube: MemoryKube
    namespace: str = "here"

    def edit(self, manifest: Manifest, *, manager: str, subresource: str = "") -> None:
        self.kube.update(manifest, manager=manager, subresource=subresource)


@dataclass(frozen=True)
class Real:
    kube: KubernetesApi
    namespace: str
    api_server: ApiServer

    def edit(self, manifest: Manifest, *, manager: str, subresource: str = "") -> None:
        group = "apis" if "/" in manifest["apiVersion"] else "api"
        plural = manifest["kind"].lower() + "s"
        at = f"/{group}/{manifest['apiVersion']}/namespaces/{self.namespace}/{plural}"
        path = f"{at}/{manifest['metadata']['name']}" + (f"/{subresource}" if subresource else "")
        self.api_server.call("PUT", path, manifest, fieldManager=manager)


def config_map(side: Side, name: str = "it", **data: str) -> Manifest:
    return made(side, CONFIG_MAP, name, **({"data": data} if data else {}))


def cluster(side: Side, **more: Any) -> Manifest:
    return made(side, CLUSTER, "zoo", **more)


def made(side: Side, kind: Kind, name: str, **more: Any) -> Manifest:
    metadata = {"name": name, "namespace": side.namespace, **more.pop("metadata", {})}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **more}


def ref(side: Side, kind: Kind, name: str) -> Ref:
    return Ref(kind, side.namespace, name)


def now(side: Side, kind: Kind, name: str) -> Manifest:
    found = side.kube.get(ref(side, kind, name))
    assert found is not None, f"{kind.name} {name} is gone"
    return found


def version(manifest: Manifest) -> str:
    return str(manifest["metadata"]["resourceVersion"])


def with_status(side: Side, manager: str, **status: Any) -> Manifest:
    return side.kube.apply(cluster(side, status=status), manager=manager, subresource="status")


def condition(type_: str, status: str = "True", reason: str = "Told") -> dict[str, str]:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
