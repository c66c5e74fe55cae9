"""Each overlay of config/: what it consists of, and that Knative and Kubernetes would take it."""

from __future__ import annotations

import re
import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.adapters.kubernetes import KubernetesApi, connect
from functions.adapters.memory import MemoryAdminServers, MemoryJobPrograms, MemoryZooKeeper
from functions.api.kinds import CLUSTER, CONFIG_MAP, STATEFUL_SET, Ref
from functions.runtime.events import PING_EVENT, Event, reference_event
from functions.runtime.function import FUNCTIONS, Answer, deliver
from functions.runtime.settings import read_settings
from functions.runtime.world import World
from local.eventing.admission import admission_error
from tests.contract.api_server import REPOSITORY, ApiServer, kubeconfig
from tests.contract.rendered import (
    OVERLAYS,
    Manifest,
    applied,
    checkout,
    key,
    kustomize,
    namespaced,
    overlay,
    serve_knatives_kinds,
)
from tests.handlers.conftest import NEW_YEAR

pytestmark = pytest.mark.contract

TEAM = "team-a"
HOST = "broker-ingress.knative-eventing.svc.cluster.local"


@cache
def objects(name: str) -> list[Manifest]:
    return overlay(name)


@pytest.fixture(scope="module")
def for_team(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """The overlay for one namespace, for the namespace of a team."""
    return namespaced(TEAM, tmp_path_factory.mktemp("checkout"))


def of_kind(manifests: list[Manifest], kind: str, group: str = "") -> list[Manifest]:
    return [m for m in manifests if m["kind"] == kind and m["apiVersion"].startswith(group)]


def environment(manifests: list[Manifest], name: str) -> dict[str, str]:
    """Return the variables of one function, a Knative Service or a Deployment."""
    (found,) = [
        m for m in manifests if m["metadata"]["name"] == name and "template" in m.get("spec", {})
    ]
    entries = found["spec"]["template"]["spec"]["containers"][0]["env"]
    return {entry["name"]: entry["value"] for entry in entries}


@pytest.mark.parametrize("name", OVERLAYS)
def test_knative_would_accept_every_object_of_an_overlay(name: str) -> None:
    refused = {key(m): admission_error(m) for m in objects(name)}
    assert {at: why for at, why in refused.items() if why} == {}
    assert {"Broker", "Trigger", "ApiServerSource", "PingSource"} <= {at[1] for at in refused}


@pytest.fixture(scope="module")
def server(api_server: ApiServer) -> ApiServer:
    """The API server with Knative's kinds and the namespaces that are installed into."""
    serve_knatives_kinds(api_server)
    for name in ("zookeeper-functions", TEAM, "stranger"):
        api_server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return api_server


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_api_server_would_accept_every_object_of_an_overlay(
    server: ApiServer, name: str
) -> None:
    assert applied(server, objects(name), dryRun="All") == {}


def test_a_misspelt_field_would_be_refused(server: ApiServer) -> None:
    """Shows that the dry run can fail, for our own kinds and for Knative's."""
    (broker,) = of_kind(objects("knative"), "Broker")
    account = of_kind(objects("knative"), "ServiceAccount")[0]
    wrong = [{**broker, "spec": {**broker["spec"], "delivry": {}}}, {**account, "secret": []}]
    assert len(applied(server, wrong, dryRun="All")) == 2


def test_eventing_only_has_nothing_of_knative_serving() -> None:
    found = objects("eventing-only")
    assert of_kind(found, "Service", "serving.knative.dev") == []
    names = {m["metadata"]["name"] for m in of_kind(objects("knative"), "Service", "serving")}
    assert {m["metadata"]["name"] for m in of_kind(found, "Deployment")} == names == set(FUNCTIONS)
    for trigger in of_kind(found, "Trigger"):
        assert trigger["spec"]["subscriber"]["ref"]["apiVersion"] == "v1"


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_deployments_pods_are_those_that_its_service_selects(name: str) -> None:
    found = objects("eventing-only")
    (deployment,) = [m for m in of_kind(found, "Deployment") if m["metadata"]["name"] == name]
    (service,) = [m for m in of_kind(found, "Service") if m["metadata"]["name"] == name]
    template = deployment["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels == service["spec"]["selector"]
    (container,) = template["spec"]["containers"]
    assert [p["name"] for p in container["ports"]] == [service["spec"]["ports"][0]["targetPort"]]
    assert template["spec"]["serviceAccountName"] == name


def test_a_deployments_pod_is_what_a_knative_service_asks_for() -> None:
    """What is Knative's own goes, what a Deployment needs is added, the rest stays as it is."""
    theirs = {m["metadata"]["name"]: m for m in of_kind(objects("knative"), "Service", "serving")}
    for deployment in of_kind(objects("eventing-only"), "Deployment"):
        pod = deepcopy(deployment["spec"]["template"]["spec"])
        for added in ("name", "ports", "readinessProbe"):
            del pod["containers"][0][added]
        wanted = theirs[deployment["metadata"]["name"]]["spec"]["template"]["spec"]
        knatives = ("containerConcurrency", "timeoutSeconds")
        assert pod == {name: value for name, value in wanted.items() if name not in knatives}


def test_the_kafka_broker_is_where_events_are_sent() -> None:
    found = objects("kafka-broker")
    (broker,) = of_kind(found, "Broker")
    assert broker["metadata"]["annotations"] == {"eventing.knative.dev/broker.class": "Kafka"}
    assert broker["spec"]["config"]["name"] == "kafka-broker-config"
    address = f"http://kafka-{HOST}/zookeeper-functions/zookeeper"
    assert environment(found, "reconcile-cluster")["BROKER_URL"] == address
    assert environment(found, "resync")["K_SINK"] == address
    assert "kafka-broker-ingress" not in {m["metadata"]["name"] for m in found}


def test_for_one_namespace_nothing_is_granted_outside_it(for_team: list[Manifest]) -> None:
    cluster_wide = {key(m)[1::2] for m in for_team if "namespace" not in m["metadata"]}
    (definitions, rest) = (
        {at for at in cluster_wide if at[0] == "CustomResourceDefinition"},
        {at for at in cluster_wide if at[0] != "CustomResourceDefinition"},
    )
    assert len(definitions) == 3
    # A ClusterRole alone grants nothing: the servers' pods are bound to it in their namespace.
    assert rest == {("Namespace", TEAM), ("ClusterRole", "zookeeper-functions-server")}
    assert {m["metadata"].get("namespace", TEAM) for m in for_team} == {TEAM}


def test_for_one_namespace_nothing_names_another(for_team: list[Manifest]) -> None:
    text = str([m for m in for_team if m["kind"] != "CustomResourceDefinition"])
    assert "'namespace': 'zookeeper-functions'" not in text
    assert environment(for_team, "observe")["WATCH_NAMESPACE"] == TEAM
    address = f"http://{HOST}/{TEAM}/zookeeper"
    assert environment(for_team, "reconcile-cluster")["BROKER_URL"] == address
    assert environment(for_team, "resync")["K_SINK"] == address
    (source,) = of_kind(for_team, "ApiServerSource")
    assert "namespaceSelector" not in source["spec"]


def test_what_stays_when_the_functions_go_is_not_labelled_as_part_of_them() -> None:
    labelled = {"app.kubernetes.io/part-of": "zookeeper-functions"}
    for name in OVERLAYS:
        found = {
            key(m)[1::2]: labelled.items() <= m["metadata"].get("labels", {}).items()
            for m in objects(name)
        }
        stays = {at for at, is_part in found.items() if not is_part}
        assert {kind for kind, _ in stays} == {"CustomResourceDefinition", "ClusterRole"}
        assert {n for kind, n in stays if kind == "ClusterRole"} == {"zookeeper-functions-server"}


PAGES = REPOSITORY / "docs" / "operations"


def test_one_file_has_the_whole_install() -> None:
    """What `make install-yaml` writes."""
    recipe = re.findall(
        r"^install-yaml:.*?\n\n", (REPOSITORY / "Makefile").read_text(), re.S | re.M
    )
    assert "-m local.kustomize config/overlays/$(OVERLAY) > build/install.yaml" in recipe[0]
    command = [sys.executable, "-m", "local.kustomize", "config/overlays/knative"]
    written = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True
    )
    made = list(yaml.load_all(written.stdout, Loader=yaml.CSafeLoader))
    assert made == objects("knative")
    assert len(of_kind(made, "CustomResourceDefinition")) == 3


def test_uninstalling_names_every_kind_that_is_installed() -> None:
    page = (PAGES / "uninstall.md").read_text()
    named = re.findall(r"kubectl delete (\S+) -l app|names `(\S+)` in place", page)
    kinds = {kind for words in named for kind in ",".join(words).split(",")}
    labelled = {
        "ksvc" if m["apiVersion"].startswith("serving.") else m["kind"].lower()
        for name in OVERLAYS
        for m in objects(name)
        if "app.kubernetes.io/part-of" in m["metadata"].get("labels", {})
    }
    assert labelled - {"namespace"} <= kinds


SNIPPETS = [
    block
    for block in re.findall(r"^```yaml\n(.*?)^```", (PAGES / "install.md").read_text(), re.S | re.M)
    if "kind: Kustomization" in block
]


@pytest.mark.soak
@pytest.mark.parametrize("snippet", SNIPPETS, ids=["combined", "own-image"])
def test_a_kustomization_of_the_page_can_be_built(snippet: str, tmp_path: Path) -> None:
    mine = checkout(tmp_path) / "my" / "install"
    mine.mkdir(parents=True)
    (mine / "kustomization.yaml").write_text(snippet)
    made = kustomize(mine)
    assert {key(m): admission_error(m) for m in made if admission_error(m)} == {}
    if "registry.example" in snippet:
        functions = of_kind(made, "Service", "serving")
        images = {f["spec"]["template"]["spec"]["containers"][0]["image"] for f in functions}
        told = {environment(made, f["metadata"]["name"])["FUNCTIONS_IMAGE"] for f in functions}
        assert images == told == {"registry.example/zookeeper-functions:0.1.0"}
    else:
        assert of_kind(made, "Deployment")
        assert "Kafka" in str(of_kind(made, "Broker"))


# The functions under the Roles of one namespace, on the real API server.


@dataclass
class Installed:
    """The functions, each under its own ServiceAccount and with the variables it is given."""

    server: ApiServer
    manifests: list[Manifest]
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    worlds: dict[str, World] = field(default_factory=dict)
    sent: list[Any] = field(default_factory=list)

    def deliver(self, function: str, ref: Ref) -> Answer:
        attributes, data = reference_event(ref)
        return self._deliver(function, Event({**attributes, "id": "1"}, data))

    def tick(self) -> Answer:
        ping = {"type": PING_EVENT, "id": "1", "source": "/ping"}
        return self._deliver("resync", Event(ping, {"scope": "unsettled"}))

    def _deliver(self, function: str, event: Event) -> Answer:
        return deliver(FUNCTIONS[function], event, lambda: self._world(function))

    def _world(self, function: str) -> World:
        if function not in self.worlds:
            self.worlds[function] = World(
                kube=self._connect(function),
                zookeeper=MemoryZooKeeper(),
                programs=MemoryJobPrograms(),
                admin_servers=MemoryAdminServers(),
                now=lambda: NEW_YEAR,
                emit=lambda attributes, _: self.sent.append(attributes),
                fresh_password=lambda: "by-chance",
                settings=read_settings(environment(self.manifests, function)),
            )
        return self.worlds[function]

    def _connect(self, account: str) -> KubernetesApi:
        path = f"/api/v1/namespaces/{TEAM}/serviceaccounts/{account}/token"
        token = self.server.call("POST", path, {"spec": {}})["status"]["token"]
        file = self.folder / f"{account}.kubeconfig"
        file.write_text(yaml.safe_dump(kubeconfig(self.server, {"token": token})))
        self.monkeypatch.setenv("KUBECONFIG", str(file))
        return connect()


@pytest.fixture
def installed(
    server: ApiServer,
    for_team: list[Manifest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Installed:
    assert applied(server, for_team) == {}
    return Installed(server, for_team, tmp_path, monkeypatch)


def _make_cluster(server: ApiServer, namespace: str) -> Ref:
    path = f"/apis/{CLUSTER.api_version}/namespaces/{namespace}/zookeeperclusters"
    manifest = {
        "apiVersion": CLUSTER.api_version,
        "kind": "ZooKeeperCluster",
        "metadata": {"name": "zk"},
        "spec": {"version": "3.9.5"},
    }
    server.call("POST", path, manifest)
    return Ref(CLUSTER, namespace, "zk")


def test_the_rights_of_one_namespace_are_enough_for_every_function(
    server: ApiServer, installed: Installed
) -> None:
    ours, theirs = _make_cluster(server, TEAM), _make_cluster(server, "stranger")
    order = ("reconcile-cluster", "scale", "observe", "roll") * 5
    for function in (*order, "backup", "restore", "dead-letter"):
        assert (function, installed.deliver(function, ours)) == (function, Answer(204))
        assert (function, installed.deliver(function, theirs)) == (function, Answer(204))
    assert installed.tick() == Answer(204)
    assert {event["namespace"] for event in installed.sent} == {TEAM}
    made = {
        (kind.name, namespace): server.ask("GET", path)[0]
        for namespace in (TEAM, "stranger")
        for kind, path in (
            (STATEFUL_SET, f"/apis/apps/v1/namespaces/{namespace}/statefulsets/zk"),
            (CONFIG_MAP, f"/api/v1/namespaces/{namespace}/configmaps/zk-config"),
        )
    }
    assert made == {
        ("StatefulSet", TEAM): 200,
        ("ConfigMap", TEAM): 200,
        ("StatefulSet", "stranger"): 404,
        ("ConfigMap", "stranger"): 404,
    }
    bindings = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{TEAM}/rolebindings"
    assert server.ask("GET", f"{bindings}/zk-rolebinding")[0] == 200
