"""One ZooKeeperCluster as its user sees it: kubectl from outside, ZooKeeper clients from inside."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from local import audit
from local.platform.handle import Completed, Platform, eventually
from tests.system import rest
from tests.system.elsewhere import patience
from tests.system.rest import Manifest

Answer = TypeVar("Answer")

FUNCTIONS_NAMESPACE = "zookeeper-functions"
FUNCTIONS = (
    "reconcile-cluster",
    "observe",
    "scale",
    "roll",
    "backup",
    "restore",
    "resync",
    "dead-letter",
)
BROKER = "http://broker-ingress.knative-eventing.svc.cluster.local/zookeeper-functions/zookeeper"
RESYNC_SECONDS = 2
CLIENT = Path(__file__).with_name("znodes.py")
OWNED_KINDS = (
    "serviceaccount", "rolebinding", "secret", "configmap", "networkpolicy", "service",
    "statefulset",
)  # fmt: skip
CONDITIONS = ("Available", "QuorumHealthy", "Reconciled", "Scaled", "Updated")

# Small and quick: tests share two processors.
SMALL: Mapping[str, Any] = {
    "version": "3.9.5",
    "storage": {"size": "1Gi"},
    "resources": {
        "requests": {"cpu": "10m", "memory": "256Mi"},
        "limits": {"memory": "256Mi"},
    },
    "probes": {"readiness": {"periodSeconds": 1}},
}

# Lets no pod in but those that must: what the tests themselves send comes from the node.
NOBODY: Mapping[str, Any] = {
    name: [{"podSelector": {"matchLabels": {"app": "nobody"}}}]
    for name in ("clients", "agents", "metrics", "adminServer")
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster by name; each test states what it expects of it."""

    platform: Platform
    namespace: str
    name: str = "zk"

    def kubectl(self, *words: str, input: str | None = None, check: bool = True) -> Completed:
        return self.platform.kubectl("-n", self.namespace, *words, input=input, check=check)

    def apply(self, replicas: int = 1, **spec: Any) -> None:
        """Apply a small cluster with these fields of spec on top."""
        manifest = {
            "apiVersion": "zookeeper.example.com/v1alpha1",
            "kind": "ZooKeeperCluster",
            "metadata": {"name": self.name},
            "spec": {**SMALL, "replicas": replicas, **spec},
        }
        self.kubectl("apply", "-f", "-", input=json.dumps(manifest))

    def patch(self, spec: Mapping[str, Any]) -> None:
        change = json.dumps({"spec": spec})
        self.kubectl("patch", "zkcluster", self.name, "--type=merge", "-p", change)

    def get(self, kind: str, name: str = "") -> Manifest:
        """Return one object (the cluster's name by default); empty when there is none."""
        return rest.get(self.platform.kubeconfig, self.namespace, kind, name or self.name)

    def all_of(self, kind: str, **query: str) -> list[Manifest]:
        found = rest.get(self.platform.kubeconfig, self.namespace, kind, **query)["items"]
        return list(found)

    def owned(self) -> dict[str, str]:
        """Return "kind/name" to uid of everything the cluster controls."""
        uid = self.get("zkcluster")["metadata"]["uid"]
        return {
            f"{kind}/{found['metadata']['name']}": found["metadata"]["uid"]
            for kind in OWNED_KINDS
            for found in self.all_of(kind)
            if uid in {owner["uid"] for owner in found["metadata"].get("ownerReferences", ())}
        }

    def status(self) -> Manifest:
        found: Manifest = self.get("zkcluster").get("status", {})
        return found

    def condition(self, kind: str) -> Manifest:
        return condition(self.status(), kind)

    def servers(self) -> dict[str, Manifest]:
        return {server["name"]: server for server in self.status().get("servers", ())}

    def pods(self) -> dict[str, Manifest]:
        found = self.all_of("pod", labelSelector=f"instance={self.name}")
        return {pod["metadata"]["name"]: pod for pod in found}

    def uid_of_pods(self) -> dict[str, str]:
        return {name: str(pod["metadata"]["uid"]) for name, pod in self.pods().items()}

    def uids(self) -> set[str]:
        return set(self.uid_of_pods().values())

    def events(self) -> dict[str, str]:
        """Return reason to messages of the Kubernetes Events about the cluster."""
        told: dict[str, str] = {}
        for event in self.all_of("event", fieldSelector=f"involvedObject.name={self.name}"):
            if event["involvedObject"]["kind"] == "ZooKeeperCluster":
                before = told.get(event["reason"], "")
                told[event["reason"]] = f"{before}\n{event['message']}".strip()
        return told

    def until(self, look: Callable[[], Answer], what: str, seconds: float = 40) -> Answer:
        """Wait until `look` finds something; on failure say how the cluster is."""
        try:
            return eventually(look, seconds=seconds * patience(self.platform), what=what)
        except AssertionError as error:
            shown = self.kubectl("describe", "zkcluster", self.name, check=False).stdout
            pods = self.kubectl("get", "pods,pvc,sts", "-o", "wide", check=False).stdout
            raise AssertionError(f"{error}\n{shown}\n{pods}") from None

    def until_settled(self, seconds: float = 60) -> Manifest:
        """Wait until all is well and seen; return the status."""
        return self.until(lambda: _settled(self.get("zkcluster")), "all is well", seconds)

    def hosts(self) -> list[str]:
        """Return the address of each server in the member list, by its stable name."""
        domain = f"{self.name}.{self.namespace}.svc.cluster.local:2181"
        return [f"{member['name']}.{domain}" for member in self.status()["members"]]

    @property
    def service(self) -> str:
        return f"{self.name}-client.{self.namespace}.svc.cluster.local:2181"

    def write(self, path: str, value: str, hosts: str = "") -> None:
        """Write one znode through the client Service, or through the servers named."""
        words = ("write", hosts or self.service, path, value)
        self.platform.run(sys.executable, str(CLIENT), *words)

    def read(self, path: str, hosts: Iterable[str] = ()) -> set[str]:
        """Return what the servers have there; every server is asked by itself."""
        asked = list(hosts) or self.hosts()
        said = self.platform.run(sys.executable, str(CLIENT), "read", path, *asked).stdout
        found: dict[str, str] = json.loads(said)
        assert set(found) == set(asked)
        return set(found.values())

    def calls(self, since: datetime, function: str = "") -> list[audit.Call]:
        """Return the functions' calls of the API server about objects of the namespace."""
        account = f"{audit.SERVICE_ACCOUNT}{FUNCTIONS_NAMESPACE}:{function}"
        found = audit.calls(self.platform.state / "logs", since)
        return [c for c in found if c.user.startswith(account) and c.namespace == self.namespace]

    def until_calm(self, seconds: float) -> None:
        """Wait until no function has looked at the cluster for so long: no event is under way."""

        def is_calm() -> bool:
            return not self.calls(now() - timedelta(seconds=seconds))

        self.until(is_calm, "the last events to be through")


@contextmanager
def fresh_namespace(platform: Platform, *, is_restricted: bool = True) -> Iterator[str]:
    """A namespace that takes only pods of the Pod Security Standard "restricted", as ours are."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"} if is_restricted else {}
    metadata = {"name": name, "labels": labels}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    platform.kubectl("create", "-f", "-", input=json.dumps(manifest))
    try:
        yield name
    finally:
        platform.kubectl("delete", "namespace", name, "--wait=false")


def condition(status: Manifest, kind: str) -> Manifest:
    found = (c for c in status.get("conditions", ()) if c["type"] == kind)
    return next(found, {"status": "", "reason": "", "message": ""})


def is_true(status: Manifest, kind: str) -> bool:
    return bool(condition(status, kind)["status"] == "True")


def now() -> datetime:
    return datetime.now(UTC)


def _settled(cluster: Manifest) -> Manifest:
    status: Manifest = cluster.get("status", {})
    generation = cluster.get("metadata", {}).get("generation")
    is_seen = all(
        condition(status, kind).get("observedGeneration") == generation for kind in CONDITIONS
    )
    is_well = all(is_true(status, kind) for kind in CONDITIONS)
    is_ready = (
        status.get("readyReplicas") == status.get("replicas") == len(status.get("servers", ()))
    )
    return status if is_seen and is_well and is_ready else {}


# Runs inside the platform: sends a signal to the Java processes of one PID namespace. A container's
# first process can be signalled from outside of it only.
SIGNAL = """
import os, pathlib, signal, sys
space, number = sys.argv[1], getattr(signal, sys.argv[2])
found = []
for entry in pathlib.Path("/proc").iterdir():
    if entry.name.isdigit():
        try:
            inside = os.readlink(entry / "ns/pid") == space
            is_java = (entry / "comm").read_text().strip() == "java"
        except OSError:
            continue
        if inside and is_java:
            os.kill(int(entry.name), number)
            found.append(entry.name)
assert found, f"no server in {space}"
"""


def signal_server(cluster: Cluster, pod: str, number: str) -> None:
    """Send a signal (SIGKILL, SIGSTOP ...) to the ZooKeeper server of a pod."""
    signal_in(cluster.platform, process_space(cluster, pod), number)


def process_space(cluster: Cluster, pod: str) -> str:
    """Return the name of the PID namespace of a pod's server; it changes with each restart."""
    inside = ("exec", pod, "-c", "zookeeper", "--", "readlink", "/proc/self/ns/pid")
    return cluster.kubectl(*inside).stdout.strip()


def signal_in(platform: Platform, space: str, number: str) -> None:
    platform.run(sys.executable, "-c", SIGNAL, space, number)
