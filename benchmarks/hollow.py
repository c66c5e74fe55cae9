"""A hollow node: its pods run nothing, yet are Ready and answer as ZooKeeper servers do.

It runs inside the platform's network: `python -m benchmarks.hollow`. Every pod that is scheduled
to it becomes Running with an address of its own; all of those addresses lead to this one process,
which answers `srvr` and `conf` for each as its place in its ensemble demands. So thousands of
servers cost what one small program costs, and everything else (the control plane, the events, the
functions) is as it always is.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from local.kube import ApiError, KubeClient, Mirror, Object

NODE = "hollow"
# Only what asks for it comes here, and what comes here stays off the other nodes.
LABEL = "zookeeper.example.com/hollow"
NETWORK = ipaddress.ip_network("10.250.0.0/16")
CLIENT_PORT = 2181
MOST_PODS = 10_000
RENEW_SECONDS = 10.0
ATTEMPT_SECONDS = 1.0
WORD_SECONDS = 10.0
# Pods are looked at together when many of them change.
GATHER_SECONDS = 0.2
MOST_AT_ONCE = 16
BACKLOG = 1024
NODE_PATH = f"/api/v1/nodes/{NODE}"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

SRVR = """Zookeeper version: 3.9.5-0000000, built on 2026-01-01 00:00 UTC
Latency min/avg/max: 0/0.0/0
Received: 1
Sent: 1
Connections: 1
Outstanding: 0
Zxid: 0x100000001
Mode: {mode}
Node count: 5
"""


class Servers:
    """The servers in the pods that have an address, and what each answers to a word.

    All pods of an ensemble are its voters, and the last of them leads.
    """

    def __init__(self, pods: Iterable[Object] = ()) -> None:
        self._by_address: dict[str, tuple[str, str, int]] = {}
        self._ordinals: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for pod in pods:
            if address := pod.get("status", {}).get("podIP"):
                cluster, _, ordinal = pod["metadata"]["name"].rpartition("-")
                namespace = pod["metadata"]["namespace"]
                self._by_address[address] = (namespace, cluster, int(ordinal))
                self._ordinals[namespace, cluster].append(int(ordinal))

    def answer(self, word: str, address: str) -> str:
        """Return what the server at the address says; nothing where none is."""
        if address not in self._by_address:
            return ""
        namespace, cluster, ordinal = self._by_address[address]
        ordinals = sorted(self._ordinals[namespace, cluster])
        if word == "srvr":
            return SRVR.format(mode="leader" if ordinal == ordinals[-1] else "follower")
        domain = f"{cluster}.{namespace}.svc.cluster.local"
        members = [
            f"server.{each + 1}={cluster}-{each}.{domain}:2888:3888:participant;"
            f"0.0.0.0:{CLIENT_PORT}"
            for each in ordinals
        ]
        return "\n".join(["membership: ", *members, "version=100000000", ""])


class Hollow:
    """The node and all its pods."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._pods = Mirror(client, "/api/v1/pods", {"fieldSelector": f"spec.nodeName={NODE}"})
        self._addresses = map(str, NETWORK.hosts())
        self._servers = Servers()
        self._given: dict[str, str] = {}
        self._busy = asyncio.Semaphore(MOST_AT_ONCE)

    async def run(self) -> None:
        """Be a node until cancelled."""
        # Every address of the network is this machine's own: no interface has to have it.
        route = ["ip", "route", "replace", "local", str(NETWORK), "dev", "lo"]
        subprocess.run(route, check=True, timeout=10)
        server = await asyncio.start_server(self._accept, "0.0.0.0", CLIENT_PORT, backlog=BACKLOG)
        async with server, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._be_alive())
            tasks.create_task(self._pods.run())
            tasks.create_task(self._keep_pods())

    async def _be_alive(self) -> None:
        while True:
            with suppress(ApiError, aiohttp.ClientError, TimeoutError):
                await self._register()
                await self._renew()
            await asyncio.sleep(RENEW_SECONDS)

    async def _register(self) -> None:
        taint = {"key": LABEL, "effect": "NoSchedule"}
        labels = {LABEL: "true", "kubernetes.io/hostname": NODE}
        if await self._client.get(NODE_PATH) is None:
            await self._client.create(
                "/api/v1/nodes",
                {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels}},
            )
        await self._client.merge(NODE_PATH, {"spec": {"taints": [taint]}})
        room = {"cpu": "1000", "memory": "10Ti", "pods": str(MOST_PODS)}
        ready = {"type": "Ready", "status": "True", "reason": "Hollow", "lastHeartbeatTime": _now()}
        status = {"capacity": room, "allocatable": room, "conditions": [ready]}
        await self._client.merge(f"{NODE_PATH}/status", {"status": status})

    async def _renew(self) -> None:
        renewed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": NODE, "leaseDurationSeconds": 40, "renewTime": renewed}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        manifest = {**lease, "metadata": {"name": NODE}, "spec": spec}
        await self._client.apply(f"{LEASES}/{NODE}", manifest, manager=NODE)

    async def _keep_pods(self) -> None:
        while True:
            await self._pods.changed.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._pods.changed.clear()
            pods = list(self._pods.objects.values())
            self._servers = Servers(pods)
            await asyncio.gather(*(self._keep(pod) for pod in pods if _needs_work(pod)))

    async def _keep(self, pod: Object) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        with suppress(ApiError, aiohttp.ClientError, TimeoutError):
            async with self._busy:
                if "deletionTimestamp" in metadata:
                    await self._client.delete(path, {"gracePeriodSeconds": 0})
                else:
                    uid = metadata["uid"]
                    if uid not in self._given:
                        self._given[uid] = next(self._addresses)
                    status = _running(self._given[uid])
                    await self._client.merge(f"{path}/status", {"status": status})
            return
        # It is looked at again although nothing of it changes.
        await asyncio.sleep(ATTEMPT_SECONDS)
        self._pods.changed.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(WORD_SECONDS):
                word = (await reader.readexactly(4)).decode(errors="replace")
                address = writer.get_extra_info("sockname")[0]
                writer.write(self._servers.answer(word, address).encode())
                await writer.drain()
        writer.close()


def _needs_work(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"] or not pod.get("status", {}).get("podIP")


def _running(address: str) -> Object:
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": _now()}
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    return {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": _now(),
        "conditions": conditions,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def main() -> None:
    async with KubeClient.from_kubeconfig(Path(os.environ["KUBECONFIG"])) as client:
        await Hollow(client).run()


if __name__ == "__main__":
    asyncio.run(main())
