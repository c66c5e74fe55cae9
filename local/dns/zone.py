"""Which names exist: Services and EndpointSlices in, records out. Pure.

Follows the Kubernetes DNS specification: a Service has its cluster address, a headless one the
addresses of its ready endpoints, and each endpoint with a hostname its own name below the Service.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from local.kube import Object

SERVICE_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Target:
    """What an SRV record points to."""

    name: str
    port: int


@dataclass(slots=True)
class Zone:
    """All records of the cluster domain, by lower-case name without the last dot."""

    addresses: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    aliases: dict[str, str] = field(default_factory=dict)
    services: dict[str, list[Target]] = field(default_factory=lambda: defaultdict(list))
    pointers: dict[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return any(
            name in records
            for records in (self.addresses, self.aliases, self.services, self.pointers)
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One ready address behind a headless Service."""

    address: str
    hostname: str
    ports: tuple[tuple[str, str, int], ...]


def build_zone(services: Iterable[Object], slices: Iterable[Object], domain: str) -> Zone:
    """Return the records for these Services."""
    zone = Zone()
    endpoints = _endpoints_by_service(slices)
    for service in services:
        metadata = service["metadata"]
        name = f"{metadata['name']}.{metadata['namespace']}.svc.{domain}"
        found = endpoints.get((metadata["namespace"], metadata["name"]), [])
        _add_service(zone, name, service["spec"], found)
    return zone


def _add_service(zone: Zone, name: str, spec: Object, endpoints: list[Endpoint]) -> None:
    if spec.get("type") == "ExternalName":
        zone.aliases[name] = spec["externalName"]
        return
    address = spec.get("clusterIP") or "None"
    if address != "None":
        zone.addresses[name].append(address)
        zone.pointers[reverse_name(address)] = name
        for port in spec.get("ports", []):
            _add_port(zone, name, _port(port), name)
        return
    # The name of a headless Service exists before its first endpoint does.
    zone.addresses[name].extend(sorted({endpoint.address for endpoint in endpoints}))
    for endpoint in endpoints:
        _add_endpoint(zone, name, endpoint)


def _add_endpoint(zone: Zone, service: str, endpoint: Endpoint) -> None:
    own = f"{endpoint.hostname or endpoint.address.replace('.', '-')}.{service}".lower()
    if endpoint.address not in zone.addresses[own]:
        zone.addresses[own].append(endpoint.address)
    if endpoint.hostname or reverse_name(endpoint.address) not in zone.pointers:
        zone.pointers[reverse_name(endpoint.address)] = own
    for port in endpoint.ports:
        _add_port(zone, service, port, own)


def _add_port(zone: Zone, service: str, port: tuple[str, str, int], target: str) -> None:
    name, protocol, number = port
    if name:
        record = Target(target, number)
        found = zone.services[f"_{name}._{protocol.lower()}.{service}"]
        if record not in found:
            found.append(record)


def _port(port: Object) -> tuple[str, str, int]:
    return port.get("name") or "", port.get("protocol") or "TCP", port.get("port") or 0


def _endpoints_by_service(slices: Iterable[Object]) -> dict[tuple[str, str], list[Endpoint]]:
    found: dict[tuple[str, str], list[Endpoint]] = defaultdict(list)
    for each in slices:
        metadata = each["metadata"]
        service = (metadata.get("labels") or {}).get(SERVICE_LABEL)
        if service and each.get("addressType") == "IPv4":
            found[metadata["namespace"], service].extend(_ready_endpoints(each))
    return found


def _ready_endpoints(endpoint_slice: Object) -> Iterator[Endpoint]:
    """Ready is also true for whatever a Service with publishNotReadyAddresses publishes."""
    ports = tuple(_port(port) for port in endpoint_slice.get("ports") or [])
    for endpoint in endpoint_slice.get("endpoints") or []:
        if (endpoint.get("conditions") or {}).get("ready") is not False:
            for address in endpoint["addresses"]:
                yield Endpoint(address, endpoint.get("hostname") or "", ports)


def reverse_name(address: str) -> str:
    """Return the name under which an address's own name is asked for."""
    return ipaddress.ip_address(address).reverse_pointer
