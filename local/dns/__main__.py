"""`python -m local.dns`: serve the names of Services inside the platform's network."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from local.dns.answers import answer
from local.dns.zone import Zone, build_zone
from local.following import follow, run_part, until_it_succeeds
from local.kube import KubeClient, Mirror, Object
from local.platform import addresses

PORT = addresses.DNS_PORT
TCP_IDLE_SECONDS = 10.0
FIELD_MANAGER = "local:dns"
NAMESPACE = "/api/v1/namespaces/kube-system"
SLICES = "/apis/discovery.k8s.io/v1"


class NameServer(asyncio.DatagramProtocol):
    """Answers questions from the zone as it is at that moment."""

    def __init__(self) -> None:
        self.zone: Zone | None = None
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = answer(data, self.zone, addresses.CLUSTER_DOMAIN, is_udp=True)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)

    async def accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one TCP connection: each message is preceded by its length."""
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            while True:
                length = await asyncio.wait_for(reader.readexactly(2), TCP_IDLE_SECONDS)
                message = await reader.readexactly(int.from_bytes(length))
                reply = answer(message, self.zone, addresses.CLUSTER_DOMAIN, is_udp=False)
                if reply is None:
                    break
                writer.write(len(reply).to_bytes(2) + reply)
                await writer.drain()
        writer.close()


async def serve(kubeconfig: Path) -> None:
    """Serve until cancelled."""
    server = NameServer()
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: server, (addresses.GATEWAY, PORT))
    await asyncio.start_server(server.accepted, addresses.GATEWAY, PORT)
    async with KubeClient.from_kubeconfig(kubeconfig) as client:
        services = Mirror(client, "/api/v1/services")
        slices = Mirror(client, f"{SLICES}/endpointslices")

        async def look() -> None:
            server.zone = build_zone(
                services.objects.values(), slices.objects.values(), addresses.CLUSTER_DOMAIN
            )

        async with asyncio.TaskGroup() as group:
            group.create_task(until_it_succeeds(lambda: publish(client)))
            group.create_task(follow([services, slices], look))


async def publish(client: KubeClient) -> None:
    """Make the Service under whose address pods find this server."""
    for path, manifest in (
        (f"{NAMESPACE}/services/kube-dns", service()),
        (f"{SLICES}/namespaces/kube-system/endpointslices/kube-dns", endpoint_slice()),
    ):
        await client.apply(path, manifest, manager=FIELD_MANAGER)


def service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "labels": {"k8s-app": "kube-dns"}},
        "spec": {
            "clusterIP": addresses.DNS_SERVICE,
            "ports": [
                {"name": "dns", "port": PORT, "protocol": "UDP"},
                {"name": "dns-tcp", "port": PORT, "protocol": "TCP"},
            ],
        },
    }


def endpoint_slice() -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kube-dns",
            "labels": {
                "kubernetes.io/service-name": "kube-dns",
                "endpointslice.kubernetes.io/managed-by": "local",
            },
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [addresses.GATEWAY]}],
        "ports": [
            {"name": "dns", "port": PORT, "protocol": "UDP"},
            {"name": "dns-tcp", "port": PORT, "protocol": "TCP"},
        ],
    }


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.dns", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    return run_part(serve(parser.parse_args(arguments).kubeconfig))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
