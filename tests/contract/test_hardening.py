"""The optional components of config/ that hold functions to less: what they refuse, what not."""

from __future__ import annotations

from typing import Any

import pytest
import urllib3
import yaml

from functions.api.status import ClusterStatus
from functions.planning.observation import MANAGER as OBSERVE
from tests.contract.api_server import REPOSITORY, ApiServer
from tests.contract.processes import until

pytestmark = pytest.mark.contract

Manifest = dict[str, Any]

ADMISSION = REPOSITORY / "config/components/admission"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
CLUSTERS = "/apis/zookeeper.example.com/v1alpha1/namespaces/default/zookeeperclusters"
SECRETS = "/api/v1/namespaces/default/secrets"
OURS = {"app.kubernetes.io/managed-by": "zookeeper-functions"}
# What observe sees, and so writes (docs/concepts.md).
OBSERVED = {"servers", "replicas", "readyReplicas", "leader", "version", "conditions"}
AVAILABLE = {"type": "Available", "status": "True", "reason": "QuorumServes", "message": ""}
SCALED = {"type": "Scaled", "status": "True", "reason": "AsWanted", "message": ""}
BEFORE = {"leader": "zk-0", "restored": "one", "conditions": [SCALED]}


def documents(name: str) -> list[Manifest]:
    return list(yaml.safe_load_all((ADMISSION / name).read_text()))


def send(server: ApiServer, method: str, path: str, body: Manifest, function: str) -> str:
    """Send a request as one of the functions, for a try; return why it is refused."""
    # The group lets everybody through RBAC, so that what is left is the policy.
    headers = {
        "Authorization": f"Bearer {server.token}",
        "Impersonate-User": f"system:serviceaccount:zookeeper-functions:{function}",
        "Impersonate-Group": "system:masters",
    }
    with urllib3.PoolManager(ca_certs=str(server.ca)) as pool:
        url = f"{server.url}{path}?dryRun=All"
        answer = pool.request(method, url, json=body, headers=headers, timeout=10, retries=False)
    return "" if answer.status < 300 else str(answer.json()["message"])


@pytest.fixture(scope="module")
def guarded(api_server: ApiServer) -> ApiServer:
    """The API server with the policies, and a cluster with a status."""
    for found in (*documents("secrets.yaml"), *documents("status.yaml")):
        path = POLICIES if found["kind"] == "ValidatingAdmissionPolicy" else BINDINGS
        api_server.call("POST", path, found)
    cluster = {
        "apiVersion": "zookeeper.example.com/v1alpha1",
        "kind": "ZooKeeperCluster",
        "metadata": {"name": "guarded"},
        "spec": {},
    }
    stored = api_server.call("POST", CLUSTERS, cluster)
    api_server.call("PUT", f"{CLUSTERS}/guarded/status", {**stored, "status": BEFORE})
    foreign = {"metadata": {"name": "foreign"}, "stringData": {"a": "b"}}
    api_server.call("POST", SECRETS, foreign)
    until(lambda: told(api_server, {"restored": "two"}), "the policy on status is in force", 60)
    until(lambda: made(api_server, {}), "the policy on Secrets is in force", 60)
    return api_server


def told(server: ApiServer, change: Manifest, function: str = OBSERVE) -> str:
    found = server.call("GET", f"{CLUSTERS}/guarded")
    changed = {**found, "status": {**found["status"], **change}}
    return send(server, "PUT", f"{CLUSTERS}/guarded/status", changed, function)


def made(server: ApiServer, labels: Manifest, function: str = "reconcile-cluster") -> str:
    manifest = {"metadata": {"name": "new", "labels": labels}, "stringData": {"a": "b"}}
    return send(server, "POST", SECRETS, manifest, function)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"leader": "zk-1", "readyReplicas": 3}, id="what-it-saw"),
        pytest.param({"conditions": [SCALED, AVAILABLE]}, id="its-own-condition"),
        pytest.param({"conditions": [AVAILABLE, SCALED]}, id="in-another-order"),
    ],
)
def test_observe_writes_what_it_sees(guarded: ApiServer, change: Manifest) -> None:
    assert told(guarded, change) == ""


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"restored": "two"}, id="what-others-decide-by"),
        pytest.param({"operation": {"type": "Roll"}}, id="the-lock-of-the-movers"),
        pytest.param({"restored": None}, id="what-others-wrote-taken-away"),
        pytest.param({"conditions": [{**SCALED, "status": "False"}]}, id="anothers-condition"),
        pytest.param({"conditions": []}, id="anothers-condition-taken-away"),
    ],
)
def test_observe_writes_nothing_else(guarded: ApiServer, change: Manifest) -> None:
    assert "observe writes" in told(guarded, change)
    assert told(guarded, change, function="scale") == "", "others are not held to it"


def test_the_policy_knows_every_field_of_status() -> None:
    policy = documents("status.yaml")[0]
    said = policy["spec"]["validations"][0]["expression"]
    fields = {f.alias or name for name, f in ClusterStatus.model_fields.items()}
    assert {f for f in fields if f"object.?status.?{f} == oldObject.?status.?{f}" in said} == (
        fields - OBSERVED
    )


def test_reconcile_cluster_writes_the_secrets_of_its_clusters_only(guarded: ApiServer) -> None:
    assert made(guarded, OURS) == ""
    assert "of its own clusters only" in made(guarded, {"app.kubernetes.io/managed-by": "helm"})
    foreign = guarded.call("GET", f"{SECRETS}/foreign")
    taken = {**foreign, "metadata": {**foreign["metadata"], "labels": OURS}}
    refused = send(guarded, "PUT", f"{SECRETS}/foreign", taken, "reconcile-cluster")
    assert "of its own clusters only" in refused, "a label does not make it one"
    assert send(guarded, "PUT", f"{SECRETS}/foreign", taken, "scale") == "", "RBAC says the rest"


def test_the_functions_own_policy_is_valid(guarded: ApiServer) -> None:
    text = (REPOSITORY / "config/components/network-policy/policy.yaml").read_text()
    policy = yaml.safe_load(text)
    policy["metadata"]["namespace"] = "default"
    path = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"
    stored = guarded.call("POST", path, policy, dryRun="All", fieldValidation="Strict")
    assert stored["spec"] == policy["spec"]
