"""Objects that mean harm on a real API server: what it lets through hurts nobody else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import urllib3
from hypothesis import HealthCheck, given, settings

from functions.adapters.kubernetes import connect
from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import InvalidSpec
from functions.api.kinds import CLUSTER, Ref
from functions.manifests.installation import Installation
from functions.manifests.login import Credentials
from functions.manifests.owned import owned_objects
from tests.contract.api_server import ApiServer
from tests.unit.test_hostile_specs import SPECS

pytestmark = pytest.mark.contract

KIND = "zookeeper.example.com/v1alpha1"
OURS = Installation("functions:1", "http://broker.example/events")


def _create(api_server: ApiServer, namespace: str, name: str, affinity: str) -> int:
    """Create a cluster whose affinity is that text: no library of ours could write it."""
    spec = f'{{"replicas": 1, "pod": {{"affinity": {affinity}}}}}'
    body = (
        f'{{"apiVersion": "{KIND}", "kind": "ZooKeeperCluster", '
        f'"metadata": {{"name": "{name}"}}, "spec": {spec}}}'
    )
    path = f"{api_server.url}/apis/{KIND}/namespaces/{namespace}/zookeeperclusters"
    headers = {
        "Authorization": f"Bearer {api_server.token}",
        "Content-Type": "application/json",
    }
    with urllib3.PoolManager(ca_certs=str(api_server.ca)) as pool:
        return pool.request("POST", path, body=body, headers=headers, timeout=20).status


@pytest.mark.parametrize("levels", [500, 4000])
def test_a_cluster_that_is_nested_too_deeply_hides_no_other(
    api_server: ApiServer, namespace: str, monkeypatch: pytest.MonkeyPatch, levels: int
) -> None:
    """The API server takes it; every function lists the clusters of all namespaces at once."""
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    kube = connect()
    assert _create(api_server, namespace, "deep", '{"a":' * levels + "1" + "}" * levels) == 201
    assert _create(api_server, namespace, "plain", "{}") == 201
    listed = {it["metadata"]["name"]: it for it in kube.list(CLUSTER, namespace)}
    assert listed.keys() == {"deep", "plain"}
    assert ZooKeeperCluster.parse(listed["plain"]).spec.replicas == 1
    found = kube.get(Ref(CLUSTER, namespace, "deep"))
    assert found is not None
    for manifest in (found, listed["deep"]):
        with pytest.raises(InvalidSpec, match="nested more than"):
            ZooKeeperCluster.parse(manifest)
    # It is in the way of nobody else in this session.
    api_server.call("DELETE", f"/apis/{KIND}/namespaces/{namespace}/zookeeperclusters/deep")


@pytest.fixture
def numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.mark.soak
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(SPECS)
def test_what_is_made_of_many_specs_is_taken_or_refused_with_a_sentence(
    api_server: ApiServer, namespace: str, numbers: Iterator[int], spec: dict[str, object]
) -> None:
    """The cluster itself, and every object that is made of it: never a failure of the server."""
    name = f"zk{next(numbers)}"
    manifest = {
        "apiVersion": KIND,
        "kind": "ZooKeeperCluster",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": 1, **spec},
    }
    path = f"/apis/{KIND}/namespaces/{namespace}/zookeeperclusters"
    status, answer = api_server.ask("POST", path, manifest, dryRun="All")
    assert status in (201, 422), answer
    if status == 422:
        assert answer["message"]
        return
    read = ZooKeeperCluster.parse(answer)
    for made in owned_objects(read, OURS, Credentials("hash")):
        kind, _, plural = made["apiVersion"], made["kind"], made["kind"].lower()
        group = f"/apis/{kind}" if "/" in kind else f"/api/{kind}"
        plural = "networkpolicies" if plural == "networkpolicy" else f"{plural}s"
        where = f"{group}/namespaces/{namespace}/{plural}"
        status, answer = api_server.ask("POST", where, made, dryRun="All")
        assert status in (201, 403, 422, 400), answer
        assert answer["metadata"]["namespace"] == namespace if status == 201 else answer["message"]
