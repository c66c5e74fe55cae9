"""The Services of a cluster: one headless for the servers' names, one for clients."""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import SERVICE
from functions.api.manifest import Manifest
from functions.api.ports import AGENT_PORT
from functions.manifests.names import (
    AGENT_PORT_NAME,
    client_service_name,
    headless_service_name,
    identity,
    owned_metadata,
    selector,
)
from functions.manifests.server_version import has_native_metrics


def headless_service(cluster: ZooKeeperCluster) -> Manifest:
    """Return the governing Service, which names servers whether they are ready or not.

    A server must find its peers before any of them can be ready.
    """
    return {
        **identity(SERVICE),
        "metadata": owned_metadata(cluster, headless_service_name(cluster)),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": selector(cluster),
            "ports": _server_ports(cluster),
        },
    }


def client_service(cluster: ZooKeeperCluster) -> Manifest:
    """Return the Service for clients, which reaches only servers that serve in a quorum."""
    wanted = cluster.spec.client_service
    metadata = owned_metadata(cluster, client_service_name(cluster))
    return {
        **identity(SERVICE),
        "metadata": {**metadata, "annotations": dict(wanted.annotations)},
        "spec": {
            "type": wanted.type,
            "selector": selector(cluster),
            "ports": [
                _port("client", cluster.spec.config.client_port),
                *_secure_port(cluster),
            ],
        },
    }


def _server_ports(cluster: ZooKeeperCluster) -> list[Manifest]:
    config = cluster.spec.config
    ports = [
        _port("client", config.client_port),
        _port("follower", config.follower_port),
        _port("leader-election", config.leader_election_port),
    ]
    ports += _secure_port(cluster)
    if cluster.spec.admin_server.enabled:
        ports.append(_port("admin", cluster.spec.admin_server.port))
    if has_native_metrics(cluster):
        ports.append(_port("metrics", cluster.spec.metrics.port))
    return [*ports, _port(AGENT_PORT_NAME, AGENT_PORT)]


def _secure_port(cluster: ZooKeeperCluster) -> list[Manifest]:
    tls = cluster.spec.tls.client
    return [] if tls is None else [_port("secure-client", tls.port)]


def _port(name: str, number: int) -> Manifest:
    return {"name": name, "port": number, "protocol": "TCP"}
