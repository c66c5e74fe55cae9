"""Every pod we make passes the Pod Security Standard "restricted" of the real API server, and every
NetworkPolicy its validation."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.api.restore import ZooKeeperRestore
from functions.manifests.backup_jobs import cron_job, once_job, prune_job
from functions.manifests.encryption import PLAIN
from functions.manifests.installation import Installation
from functions.manifests.login import Credentials, Login
from functions.manifests.network_policy import network_policy
from functions.manifests.restore_job import Known, Place, Program, restore_job
from functions.manifests.stateful_set import stateful_set
from tests.contract.api_server import REPOSITORY, ApiServer
from tests.contract.test_kube_backup_jobs import SPECS, backup, copied, source

pytestmark = pytest.mark.contract

NAMESPACE = "restricted"
OURS = Installation("zookeeper-functions:1")
CLUSTERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "log-volume": {"storage": {"log": {"size": "1Gi"}}},
    "ephemeral": {"storage": {"ephemeral": True}, "adminServer": {"enabled": True}},
    "own-user": {"pod": {"securityContext": {"runAsUser": 1000710000, "fsGroup": 1000710000}}},
    "users": {"login": {"users": [{"secretName": "alice"}]}},
    "assigned-user": {"pod": {"assignedUser": True}},
}


def cluster(**spec: Any) -> ZooKeeperCluster:
    metadata = {"name": "zk", "namespace": NAMESPACE, "uid": "uid-1"}
    return ZooKeeperCluster.parse({"metadata": metadata, "spec": spec})


def templates(of: ZooKeeperCluster) -> Iterator[tuple[str, Manifest]]:
    """Yield the name and the template of every pod that is made for a cluster."""
    known = Credentials("hash", Login("users" if of.spec.login.users else ""))
    yield "server", stateful_set(of, OURS, known, "hash", PLAIN)["spec"]["template"]
    for name, spec in SPECS.items():
        wanted, found = backup(**spec), copied(source(**of.spec.model_dump(by_alias=True)))
        yield f"backup {name}", once_job(wanted, "it", found, OURS)["spec"]["template"]
        yield f"prune {name}", prune_job(wanted, ["a"], OURS, of)["spec"]["template"]
        scheduled = backup(**{"mode": "schedule", "schedule": "@daily", **spec})
        made = cron_job(scheduled, found, OURS, suspend=False)
        yield f"schedule {name}", made["spec"]["jobTemplate"]["spec"]["template"]
    restore = ZooKeeperRestore.parse({
        "metadata": {"name": "back", "namespace": NAMESPACE, "uid": "uid-1"},
        "spec": {"source": {"s3": {"bucket": "b", "key": "a/b/c"}}, "target": {"name": "zk"}},
    })  # fmt: skip
    for program in Program:
        place = Place(of, 1, ("uid-2",), is_beside=True)
        yield program, restore_job(restore, program, place, Known(), OURS)["spec"]["template"]


def functions() -> Iterator[tuple[str, Manifest]]:
    for service in yaml.safe_load_all((REPOSITORY / "config/base/functions.yaml").read_text()):
        template = service["spec"]["template"]
        # Knative takes the rest for itself, and names the container.
        own = {key: template["spec"][key] for key in ("serviceAccountName", "volumes")}
        containers = [{"name": "function", **c} for c in template["spec"]["containers"]]
        yield service["metadata"]["name"], {**template, "spec": {**own, "containers": containers}}


@pytest.fixture(scope="module")
def restricted(api_server: ApiServer) -> ApiServer:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"metadata": {"name": NAMESPACE, "labels": labels}}
    api_server.call("POST", "/api/v1/namespaces", namespace)
    return api_server


def refusal(server: ApiServer, spec: Manifest) -> str:
    """Return why the API server will not have the pod; empty when it will."""
    # What a StatefulSet's claims become.
    mounted = {m["name"] for c in spec["containers"] for m in c.get("volumeMounts", ())}
    volumes = spec.get("volumes", [])
    there = {volume["name"] for volume in volumes}
    claims = [{"name": n, "persistentVolumeClaim": {"claimName": n}} for n in mounted - there]
    pod = {"metadata": {"name": "it"}, "spec": {**spec, "volumes": [*volumes, *claims]}}
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    status, answer = server.ask("POST", path, pod, dryRun="All", fieldValidation="Strict")
    return "" if status == 201 else str(answer["message"])


@pytest.mark.parametrize("name", CLUSTERS)
def test_each_pod_of_a_cluster_is_restricted(restricted: ApiServer, name: str) -> None:
    found = dict(templates(cluster(**CLUSTERS[name])))
    assert len(found) == 1 + 3 * len(SPECS) + len(Program)
    refused = {key: refusal(restricted, template["spec"]) for key, template in found.items()}
    assert refused == dict.fromkeys(found, "")


def test_each_function_is_restricted(restricted: ApiServer) -> None:
    found = dict(functions())
    refused = {key: refusal(restricted, template["spec"]) for key, template in found.items()}
    assert refused == dict.fromkeys(found, "")


@pytest.mark.parametrize("field", ["allowPrivilegeEscalation", "capabilities"])
def test_the_namespace_refuses_a_pod_that_is_not(restricted: ApiServer, field: str) -> None:
    spec = copy.deepcopy(dict(templates(cluster()))["server"]["spec"])
    for container in (*spec["initContainers"], *spec["containers"]):
        del container["securityContext"][field]
    said = refusal(restricted, spec)
    assert 'violates PodSecurity "restricted:latest"' in said
    assert field in said


def test_a_platform_that_assigns_users_finds_none_named() -> None:
    """OpenShift refuses a pod with another user or group than those it gave the namespace."""
    for name, template in templates(cluster(pod={"assignedUser": True})):
        named = template["spec"]["securityContext"].keys() & {"runAsUser", "runAsGroup", "fsGroup"}
        assert (name, named) == (name, set())


def test_only_servers_and_their_functions_get_a_token() -> None:
    for name, template in templates(cluster()):
        has_token = template["spec"].get("automountServiceAccountToken", True)
        assert (name, has_token) == (name, name == "server")


PEERS = [
    {"podSelector": {"matchLabels": {"app": "shop"}}},
    {"namespaceSelector": {}, "podSelector": {}},
    {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="default"),
        pytest.param(
            {"adminServer": {"enabled": True}, "networkPolicy": {
                "clients": PEERS, "metrics": PEERS, "agents": PEERS, "adminServer": PEERS,
                "additionalPorts": [9010]}},
            id="everything",
        ),
    ],
)  # fmt: skip
def test_a_policy_is_stored_as_it_is_built(restricted: ApiServer, spec: dict[str, Any]) -> None:
    """What the API server would add to it would be mended for ever."""
    wanted = network_policy(cluster(**spec), OURS)
    path = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"
    stored = restricted.call("POST", path, wanted, dryRun="All", fieldValidation="Strict")
    assert stored["spec"] == wanted["spec"]
