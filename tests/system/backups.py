"""Backups and restores as their user sees them: custom resources, their status, their objects."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from local.platform.handle import eventually
from local.platform.state import State
from local.stores import place
from tests.system import rest
from tests.system.clusters import Cluster
from tests.system.rest import Manifest

Answer = TypeVar("Answer")

TREES = Path(__file__).with_name("trees.py")
KEYS: Mapping[str, Any] = {
    "accessKeySecret": {"name": place.SECRET, "key": "accessKey"},
    "secretKeySecret": {"name": place.SECRET, "key": "secretKey"},
}
ENDED = ("completed", "failed", "restarted")


def location(store: str, **more: Any) -> Manifest:
    """The laptop's store as a target, or with `key` as a source."""
    known = {"endpoint": place.endpoint(store), "bucket": place.BUCKET, **KEYS}
    return {store: {**known, **more}}


@dataclass(frozen=True, slots=True)
class Asked:
    """One ZooKeeperBackup or ZooKeeperRestore."""

    cluster: Cluster
    kind: str
    name: str

    def apply(self, spec: Mapping[str, Any]) -> None:
        manifest = {
            "apiVersion": "zookeeper.example.com/v1alpha1",
            "kind": {"zkbackup": "ZooKeeperBackup", "zkrestore": "ZooKeeperRestore"}[self.kind],
            "metadata": {"name": self.name},
            "spec": dict(spec),
        }
        self.cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))

    def patch(self, spec: Mapping[str, Any]) -> None:
        words = ("patch", self.kind, self.name, "--type=merge", "-p", json.dumps({"spec": spec}))
        self.cluster.kubectl(*words)

    def get(self) -> Manifest:
        return self.cluster.get(self.kind, self.name)

    def status(self) -> Manifest:
        found: Manifest = self.get().get("status", {})
        return found

    @property
    def word(self) -> str:
        return str(self.status().get("status", ""))

    @property
    def message(self) -> str:
        return str(self.status().get("message", ""))

    def records(self) -> list[Manifest]:
        return list(self.status().get("record", ()))

    def jobs(self) -> list[Manifest]:
        uid = self.get().get("metadata", {}).get("uid")
        found = self.cluster.all_of("job")
        return [job for job in found if _is_owned(job, uid)]

    def pods(self) -> list[Manifest]:
        names = {job["metadata"]["name"] for job in self.jobs()}
        found = self.cluster.all_of("pod", labelSelector="batch.kubernetes.io/job-name")
        label = "batch.kubernetes.io/job-name"
        return [pod for pod in found if pod["metadata"]["labels"][label] in names]

    def until(self, look: Callable[[], Answer], what: str, seconds: float = 60) -> Answer:
        """Wait until `look` finds something; on failure say how everything is."""
        try:
            return eventually(look, seconds=seconds, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._described()}") from None

    def until_over(self, seconds: float = 90) -> Manifest:
        """Wait until it has ended, well or badly; return the status."""
        self.until(lambda: self.word in ENDED, f"{self.name} to end", seconds)
        return self.status()

    def until_it_says(self, text: str, seconds: float = 60) -> None:
        self.until(lambda: text in self.message, f"{self.name} to say {text!r}", seconds)

    def _described(self) -> str:
        kubectl = self.cluster.kubectl
        told = [
            kubectl("get", f"{self.kind}/{self.name}", "-o", "yaml", check=False).stdout,
            kubectl("get", "zkcluster,jobs,pods,pvc", "-o", "wide", check=False).stdout,
            kubectl("get", "events", "--sort-by=.lastTimestamp", check=False).stdout[-4000:],
        ]
        for pod in self.pods():
            name = pod["metadata"]["name"]
            told.append(f"--- {name}\n{kubectl('logs', name, check=False).stdout[-2000:]}")
        return "\n".join(told)


def _is_owned(job: Manifest, uid: str | None) -> bool:
    owners = job["metadata"].get("ownerReferences", ())
    return any(owner["uid"] == uid for owner in owners)


def backup(cluster: Cluster, name: str, target: Manifest, **spec: Any) -> Asked:
    """Apply a backup of the cluster."""
    asked = Asked(cluster, "zkbackup", name)
    source = spec.pop("source", {"name": cluster.name})
    asked.apply({"source": source, "target": target, **spec})
    return asked


def restore(cluster: Cluster, name: str, source: Manifest, **spec: Any) -> Asked:
    """Apply a restore into the cluster."""
    asked = Asked(cluster, "zkrestore", name)
    target = spec.pop("target", {"name": cluster.name})
    asked.apply({"rolloutRestart": True, "source": source, "target": target, **spec})
    return asked


def give_keys(cluster: Cluster) -> None:
    """Make the Secret with the stores' keys in the cluster's namespace."""
    secret = cluster.platform.local("store-secret", "-n", cluster.namespace).stdout
    cluster.kubectl("apply", "-f", "-", input=secret)


def objects(cluster: Cluster, store: str, prefix: str) -> dict[str, int]:
    """Return name below the prefix to size of what lies in the bucket."""
    folder = place.folder(State(cluster.platform.state), store) / place.BUCKET / prefix
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_size for path in found}


def password(cluster: Cluster) -> str:
    secret = rest.get(
        cluster.platform.kubeconfig, cluster.namespace, "secret", f"{cluster.name}-super-user"
    )
    return base64.b64decode(secret["data"]["password"]).decode()


def fill(cluster: Cluster) -> None:
    """Write every kind of node once."""
    _trees(cluster, "fill", cluster.service, password(cluster))


def dump(cluster: Cluster, host: str = "") -> dict[str, str]:
    """Return every node that lasts, with a digest of all it is."""
    said = _trees(cluster, "dump", host or cluster.service, password(cluster))
    found: dict[str, str] = json.loads(said)
    return found


def holds(cluster: Cluster, acknowledged: Path, zxid: str) -> dict[str, dict[str, int]]:
    """Return per server how many of a writer's nodes it lacks, and how many are too new."""
    return {
        host: json.loads(_trees(cluster, "holds", host, str(acknowledged), zxid))
        for host in cluster.hosts()
    }


def _trees(cluster: Cluster, *words: str) -> str:
    return cluster.platform.run(sys.executable, str(TREES), *words).stdout


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> Sequence[str]:
    """Return the paths that are not the same on both sides."""
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))
