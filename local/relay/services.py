"""Give every Service of type NodePort or LoadBalancer a port on the host's 127.0.0.1."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from local.following import follow
from local.kube import KubeClient, Mirror, Object
from local.relay.host import Host, HostRefused
from local.relay.streams import connect_inside, relay_to

EXPOSED_TYPES = ("NodePort", "LoadBalancer")
ANNOTATION = "local/host-port-"

log = logging.getLogger("services")


@dataclass(frozen=True, slots=True)
class Exposed:
    """One port of one Service that is wanted on the host."""

    namespace: str
    service: str
    name: str
    address: str
    port: int
    wanted_host_port: int
    is_load_balancer: bool


def exposed_ports(service: Object) -> list[Exposed]:
    """Return the ports of a Service that belong on the host."""
    spec, metadata = service["spec"], service["metadata"]
    address = spec.get("clusterIP", "")
    if spec.get("type") not in EXPOSED_TYPES or address in ("", "None"):
        return []
    balanced = spec["type"] == "LoadBalancer"
    return [
        Exposed(
            namespace=metadata["namespace"],
            service=metadata["name"],
            name=port.get("name") or str(port["port"]),
            address=address,
            port=port["port"],
            wanted_host_port=port["port"] if balanced else port.get("nodePort", 0),
            is_load_balancer=balanced,
        )
        for port in spec.get("ports", [])
        if port.get("protocol", "TCP") == "TCP"
    ]


class ServicePorts:
    """The listening sockets that stand for Services on the host."""

    def __init__(self, client: KubeClient, host: Host) -> None:
        self._client = client
        self._host = host
        self._services = Mirror(client, "/api/v1/services")
        self._open: dict[Exposed, tuple[asyncio.Server, int]] = {}

    async def run(self) -> None:
        """Follow the Services for ever."""
        await follow([self._services], self._look)

    async def _look(self) -> None:
        services = list(self._services.objects.values())
        wanted = {port for service in services for port in exposed_ports(service)}
        for gone in self._open.keys() - wanted:
            self._open.pop(gone)[0].close()
        for new in wanted - self._open.keys():
            self._open[new] = await self._listen(new)
        for service in services:
            if ports := exposed_ports(service):
                await self._tell(service, ports)

    async def _listen(self, wanted: Exposed) -> tuple[asyncio.Server, int]:
        """Open the Service's own port when the host has it free, else any."""
        try:
            listener = await self._host.listen(wanted.wanted_host_port)
        except HostRefused:
            listener = await self._host.listen(0)
        relay = relay_to(lambda: connect_inside(wanted.address, wanted.port))
        server = await asyncio.start_server(relay, sock=listener)
        host_port: int = listener.getsockname()[1]
        log.info(
            "127.0.0.1:%d leads to %s/%s:%d",
            *(host_port, wanted.namespace, wanted.service, wanted.port),
        )
        return server, host_port

    async def _tell(self, service: Object, ports: list[Exposed]) -> None:
        """Write the host's ports where a user looks for them."""
        metadata = service["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"
        annotations = {f"{ANNOTATION}{port.name}": str(self._open[port][1]) for port in ports}
        if not annotations.items() <= (metadata.get("annotations") or {}).items():
            await self._client.merge(path, {"metadata": {"annotations": annotations}})
        ingress = [{"ip": "127.0.0.1", "ipMode": "Proxy"}]
        status = service.get("status", {}).get("loadBalancer", {})
        if ports[0].is_load_balancer and status.get("ingress") != ingress:
            body = {"status": {"loadBalancer": {"ingress": ingress}}}
            await self._client.merge(f"{path}/status", body)
