"""Kinds that come and go on a real API server, and a function that is told of a cluster there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import functions.reconcile_cluster  # noqa: F401 - importing a function deploys it
from functions.adapters.kubernetes import KubernetesApi, connect
from functions.adapters.memory import MemoryAdminServers, MemoryJobPrograms
from functions.adapters.memory.zookeeper import MemoryZooKeeper
from functions.api.errors import Refused
from functions.api.kinds import CLUSTER, Kind, Ref
from functions.runtime.events import Event, reference_event
from functions.runtime.function import FUNCTIONS, deliver
from functions.runtime.settings import Settings
from functions.runtime.world import World
from tests.contract.api_server import ApiServer
from tests.contract.processes import until

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True)
class Kinds:
    """Some kinds with their definitions, on an API server that has them only sometimes."""

    server: ApiServer
    kinds: tuple[Kind, ...]
    definitions: tuple[dict[str, Any], ...]

    def install(self) -> None:
        for definition in self.definitions:
            self.server.call("POST", DEFINITIONS, definition)
        self._until_served(is_served=True)

    def remove(self) -> None:
        for definition in self.definitions:
            self.server.ask("DELETE", f"{DEFINITIONS}/{definition['metadata']['name']}")
        self._until_served(is_served=False)

    def _until_served(self, *, is_served: bool) -> None:
        """Wait for discovery and for the storage behind it: they do not change at one moment."""
        named = ", ".join(kind.name for kind in self.kinds)
        expected = [is_served] * 2 * len(self.kinds)
        until(lambda: self._served() == expected, f"{named} served: {is_served}")

    def _served(self) -> list[bool]:
        kube = connect()
        return [look(kube, kind) for kind in self.kinds for look in (KubernetesApi.serves, _lists)]


def _lists(kube: KubernetesApi, kind: Kind) -> bool:
    try:
        kube.list(kind, "default")
    except Refused:
        return False
    return True


def create_cluster(server: ApiServer, cluster: Ref, spec: Mapping[str, Any]) -> None:
    server.call(
        "POST",
        f"/apis/{CLUSTER.api_version}/namespaces/{cluster.namespace}/{CLUSTER.plural}",
        {
            "apiVersion": CLUSTER.api_version,
            "kind": CLUSTER.name,
            "metadata": {"name": cluster.name},
            "spec": spec,
        },
    )


def reconcile(kube: KubernetesApi, cluster: Ref) -> dict[str, str]:
    """Deliver one event; return the reason of each condition."""
    attributes, data = reference_event(cluster)
    event = Event({**attributes, "id": "1"}, data)
    assert deliver(FUNCTIONS["reconcile-cluster"], event, lambda: _world(kube)).status == 204
    found = kube.get(cluster)
    assert found is not None
    return {c["type"]: c["reason"] for c in found["status"]["conditions"]}


def _world(kube: KubernetesApi) -> World:
    return World(
        kube=kube,
        zookeeper=MemoryZooKeeper(),
        programs=MemoryJobPrograms(),
        admin_servers=MemoryAdminServers(),
        now=lambda: datetime.now(UTC),
        emit=lambda *_: None,
        fresh_password=lambda: "secret",
        settings=Settings(),
    )
