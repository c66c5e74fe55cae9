"""The kinds of the Prometheus operator come and go on a real API server; a cluster is no worse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from functions.adapters.kubernetes import KubernetesApi, connect
from functions.api.kinds import CLUSTER, PROMETHEUS_RULE, SERVICE_MONITOR, Ref
from functions.api.manifest import Manifest
from tests.contract.api_server import ApiServer
from tests.contract.optional_kinds import Kinds, create_cluster, reconcile

pytestmark = pytest.mark.contract

KINDS = (SERVICE_MONITOR, PROMETHEUS_RULE)
DEFINITIONS = Path(__file__).parents[1] / "monitoring_crds.yaml"


@pytest.fixture
def operator(api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kinds]:
    """The operator's kinds, which are not there before and after."""
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    kinds = Kinds(api_server, KINDS, tuple(yaml.safe_load_all(DEFINITIONS.read_text())))
    yield kinds
    kinds.remove()


def _made(kube: KubernetesApi, cluster: Ref) -> list[Manifest]:
    found = (kube.get(Ref(kind, cluster.namespace, cluster.name)) for kind in KINDS)
    return [it for it in found if it is not None]


def _reconciled(kube: KubernetesApi, cluster: Ref) -> str:
    return reconcile(kube, cluster)["Reconciled"]


def test_a_cluster_is_watched_when_the_operator_comes_and_goes_on_when_it_goes(
    operator: Kinds, namespace: str
) -> None:
    cluster = Ref(CLUSTER, namespace, "zk")
    labels = {"labels": {"release": "prometheus"}}
    create_cluster(operator.server, cluster, {"metrics": {"serviceMonitor": labels}})
    assert _reconciled(connect(), cluster) == "Creating"

    operator.install()
    knowing = connect()
    assert _reconciled(knowing, cluster) == "Creating"
    made = _made(knowing, cluster)
    assert [it["kind"] for it in made] == ["ServiceMonitor", "PrometheusRule"]
    assert made[0]["metadata"]["labels"]["release"] == "prometheus"
    assert {owner["name"] for it in made for owner in it["metadata"]["ownerReferences"]} == {"zk"}
    versions = [it["metadata"]["resourceVersion"] for it in made]
    assert _reconciled(knowing, cluster) == "Creating"
    assert [it["metadata"]["resourceVersion"] for it in _made(knowing, cluster)] == versions

    operator.remove()
    # It still believes that they are served: a minute may pass until it asks again.
    assert knowing.serves(SERVICE_MONITOR)
    assert _reconciled(knowing, cluster) == "Creating"
    assert _reconciled(connect(), cluster) == "Creating"
