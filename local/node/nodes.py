"""The Node objects of this program: registered, kept Ready, their Leases renewed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp

from local.kube import ApiError, KubeClient, Object
from local.node.fields import NODE_CAPACITY
from local.node.status import timestamp

VERSION = "v1.36.3"
KUBELET_PORT = 10250
LEASE_SECONDS = 40
RENEW_SECONDS = 10.0
RETRY_SECONDS = 1.0
# Often enough that a node that was taken for lost is Ready again half a minute after it is back.
_STATUS_EVERY = 3
_TAINT = "node.kubernetes.io/not-ready"


@dataclass(frozen=True, slots=True)
class Place:
    """One of the nodes: its name, zone and address follow from its number."""

    name: str
    zone: str
    address: str


def places(count: int) -> list[Place]:
    """node-a in zone-a at 10.244.255.11, and so on."""
    if not 1 <= count <= 26:
        raise ValueError(f"--nodes must be between 1 and 26, not {count}")
    return [
        Place(f"node-{letter}", f"zone-{letter}", f"10.244.255.{11 + number}")
        for number, letter in enumerate("abcdefghijklmnopqrstuvwxyz"[:count])
    ]


def node_object(place: Place) -> Object:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": place.name,
            "labels": {
                "kubernetes.io/hostname": place.name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": machine,
                "topology.kubernetes.io/zone": place.zone,
                "topology.kubernetes.io/region": "laptop",
                "node.kubernetes.io/instance-type": "laptop",
            },
        },
    }


def node_status(place: Place, now: datetime, since: datetime) -> Object:
    """Ready, with generous room, and able to be asked for logs and commands by websocket."""
    return {
        "capacity": dict(NODE_CAPACITY),
        "allocatable": dict(NODE_CAPACITY),
        "addresses": [
            {"type": "InternalIP", "address": place.address},
            {"type": "Hostname", "address": place.name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET_PORT}},
        "declaredFeatures": ["ExtendWebSocketsToKubelet"],
        "conditions": [
            _condition("MemoryPressure", "False", "KubeletHasSufficientMemory", now, since),
            _condition("DiskPressure", "False", "KubeletHasNoDiskPressure", now, since),
            _condition("PIDPressure", "False", "KubeletHasSufficientPID", now, since),
            _condition("Ready", "True", "KubeletReady", now, since),
        ],
        "nodeInfo": {
            "architecture": node_object(place)["metadata"]["labels"]["kubernetes.io/arch"],
            "bootID": _machine_file("/proc/sys/kernel/random/boot_id"),
            "containerRuntimeVersion": "bubblewrap://0",
            "kernelVersion": os.uname().release,
            "kubeProxyVersion": VERSION,
            "kubeletVersion": VERSION,
            "machineID": place.name,
            "operatingSystem": "linux",
            "osImage": "zookeeper-functions laptop",
            "systemUUID": place.name,
        },
    }


def _condition(kind: str, status: str, reason: str, now: datetime, since: datetime) -> Object:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "the laptop's node is up" if kind == "Ready" else "",
        "lastHeartbeatTime": timestamp(now),
        "lastTransitionTime": timestamp(since),
    }


def _machine_file(path: str) -> str:
    with open(path) as file:  # noqa: PTH123 - a file of the kernel, not of the project
        return file.read().strip()


class NodeKeeper:
    """Keeps one Node registered and alive."""

    def __init__(self, client: KubeClient, place: Place) -> None:
        self._client = client
        self._place = place
        self._since = datetime.now(UTC)

    async def run(self) -> None:
        """Register, then renew for ever; anything the API server refuses is tried again."""
        rounds = 0
        while True:
            try:
                if rounds % _STATUS_EVERY == 0:
                    await self._register()
                await self._renew_lease()
            except (ApiError, aiohttp.ClientError, TimeoutError):
                rounds = 0
                await asyncio.sleep(RETRY_SECONDS)
            else:
                rounds += 1
                await asyncio.sleep(RENEW_SECONDS)

    async def _register(self) -> None:
        path = f"/api/v1/nodes/{self._place.name}"
        node = node_object(self._place)
        if await self._client.get(path) is None:
            await self._client.create("/api/v1/nodes", node)
        status = node_status(self._place, datetime.now(UTC), self._since)
        await self._client.merge(f"{path}/status", {"status": status})
        await self._remove_taints(path, node)

    async def _remove_taints(self, path: str, wanted: Object) -> None:
        """A new Node carries a taint until somebody who knows says that it is ready: we do."""
        node = await self._client.get(path) or {}
        taints = node.get("spec", {}).get("taints") or []
        labels = node.get("metadata", {}).get("labels") or {}
        left = [taint for taint in taints if taint["key"] != _TAINT]
        missing = wanted["metadata"]["labels"].items() - labels.items()
        if left != taints or missing:
            change = {
                "metadata": {
                    "resourceVersion": node["metadata"]["resourceVersion"],
                    "labels": wanted["metadata"]["labels"],
                },
                "spec": {"taints": left},
            }
            await self._client.merge(path, change)

    async def _renew_lease(self) -> None:
        folder = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        renewed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            "holderIdentity": self._place.name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": renewed,
        }
        try:
            await self._client.merge(f"{folder}/{self._place.name}", {"spec": spec})
        except ApiError as error:
            if error.status != 404:
                raise
            lease = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._place.name, "namespace": "kube-node-lease"},
                "spec": spec,
            }
            with contextlib.suppress(ApiError):
                await self._client.create(folder, lease)


def keepers(client: KubeClient, wanted: Iterable[Place]) -> list[NodeKeeper]:
    return [NodeKeeper(client, place) for place in wanted]
