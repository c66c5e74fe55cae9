"""The kinds of the Prometheus operator come and go on a real API server; a cluster is no worse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

import functions.reconcile_cluster  # noqa: F401 - importing a function deploys it
from functions.adapters.kubernetes import KubernetesApi, connect
from functions.adapters.memory import MemoryAdminServers, MemoryJobPrograms
from functions.adapters.memory.zookeeper import MemoryZooKeeper
from functions.api.errors import Refused
from functions.api.kinds import CLUSTER, PROMETHEUS_RULE, SERVICE_MONITOR, Kind, Ref
from functions.api.manifest import Manifest
from functions.runtime.events import Event, reference_event
from functions.runtime.function import FUNCTIONS, deliver
from functions.runtime.settings import Settings
from functions.runtime.world import World
from tests.contract.api_server import ApiServer
from tests.contract.processes import until

pytestmark = pytest.mark.contract

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KINDS = (SERVICE_MONITOR, PROMETHEUS_RULE)


@pytest.fixture(scope="module")
def definitions() -> list[dict[str, Any]]:
    text = (Path(__file__).parents[1] / "monitoring_crds.yaml").read_text()
    return list(yaml.safe_load_all(text))


@pytest.fixture
def server(
    api_server: ApiServer, definitions: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ApiServer]:
    """The API server, without the operator's kinds before and after."""
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    yield api_server
    _remove(api_server, definitions)


def _install(server: ApiServer, definitions: list[dict[str, Any]]) -> None:
    for definition in definitions:
        server.call("POST", DEFINITIONS, definition)
    _until_served(is_served=True)


def _remove(server: ApiServer, definitions: list[dict[str, Any]]) -> None:
    for definition in definitions:
        server.ask("DELETE", f"{DEFINITIONS}/{definition['metadata']['name']}")
    _until_served(is_served=False)


def _until_served(*, is_served: bool) -> None:
    """Wait for discovery and for the storage behind it: they do not change at one moment."""
    kind_of = "" if is_served else " not"
    until(lambda: _served() == [is_served] * 4, f"the operator's kinds are{kind_of} served")


def _served() -> list[bool]:
    kube = connect()
    return [look(kube, kind) for kind in KINDS for look in (KubernetesApi.serves, _can_list)]


def _can_list(kube: KubernetesApi, kind: Kind) -> bool:
    try:
        kube.list(kind, "default")
    except Refused:
        return False
    return True


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


def _reconcile(kube: KubernetesApi, cluster: Ref) -> str:
    """Deliver one event; return what the condition says."""
    attributes, data = reference_event(cluster)
    event = Event({**attributes, "id": "1"}, data)
    assert deliver(FUNCTIONS["reconcile-cluster"], event, lambda: _world(kube)).status == 204
    found = kube.get(cluster)
    assert found is not None
    conditions = {c["type"]: c["reason"] for c in found["status"]["conditions"]}
    return str(conditions["Reconciled"])


def _made(kube: KubernetesApi, cluster: Ref) -> list[Manifest]:
    found = (kube.get(Ref(kind, cluster.namespace, cluster.name)) for kind in KINDS)
    return [it for it in found if it is not None]


def test_a_cluster_is_watched_when_the_operator_comes_and_goes_on_when_it_goes(
    server: ApiServer, namespace: str, definitions: list[dict[str, Any]]
) -> None:
    cluster = Ref(CLUSTER, namespace, "zk")
    server.call(
        "POST",
        f"/apis/{CLUSTER.api_version}/namespaces/{namespace}/{CLUSTER.plural}",
        {
            "apiVersion": CLUSTER.api_version,
            "kind": CLUSTER.name,
            "metadata": {"name": "zk"},
            "spec": {"metrics": {"serviceMonitor": {"labels": {"release": "prometheus"}}}},
        },
    )
    assert _reconcile(connect(), cluster) == "Creating"

    _install(server, definitions)
    knowing = connect()
    assert _reconcile(knowing, cluster) == "Creating"
    made = _made(knowing, cluster)
    assert [it["kind"] for it in made] == ["ServiceMonitor", "PrometheusRule"]
    assert made[0]["metadata"]["labels"]["release"] == "prometheus"
    assert {owner["name"] for it in made for owner in it["metadata"]["ownerReferences"]} == {"zk"}
    versions = [it["metadata"]["resourceVersion"] for it in made]
    assert _reconcile(knowing, cluster) == "Creating"
    assert [it["metadata"]["resourceVersion"] for it in _made(knowing, cluster)] == versions

    _remove(server, definitions)
    # It still believes that they are served: a minute may pass until it asks again.
    assert knowing.serves(SERVICE_MONITOR)
    assert _reconcile(knowing, cluster) == "Creating"
    assert _reconcile(connect(), cluster) == "Creating"
