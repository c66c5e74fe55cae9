"""What cert-manager is asked for: a Certificate for each Secret that `spec.tls` names."""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import CERTIFICATE
from functions.api.manifest import Manifest
from functions.manifests.names import (
    client_domain,
    client_service_name,
    identity,
    owned_metadata,
    service_domain,
)

CLIENT, QUORUM, BOTH = "tls-client", "tls-quorum", "tls"


def certificate_names(cluster: ZooKeeperCluster) -> tuple[str, ...]:
    """Return the names that a cluster's Certificates may have, whatever its spec says now."""
    return tuple(_name(cluster, part) for part in (CLIENT, QUORUM, BOTH))


def certificates(cluster: ZooKeeperCluster) -> tuple[Manifest, ...]:
    """Return what is asked for; nothing without an issuer.

    Two Certificates that write one Secret would undo each other, so clients and servers that share
    a Secret share a Certificate.
    """
    tls = cluster.spec.tls
    if tls.issuer_ref is None:
        return ()
    client = tls.client.secret_name if tls.client is not None else ""
    quorum = tls.quorum.secret_name if tls.quorum is not None else ""
    if client == quorum:
        return (_certificate(cluster, BOTH, client),)
    asked = ((CLIENT, client), (QUORUM, quorum))
    return tuple(_certificate(cluster, part, secret) for part, secret in asked if secret)


def _certificate(cluster: ZooKeeperCluster, part: str, secret: str) -> Manifest:
    issuer = cluster.spec.tls.issuer_ref
    assert issuer is not None
    return {
        **identity(CERTIFICATE),
        "metadata": owned_metadata(cluster, _name(cluster, part)),
        "spec": {
            "secretName": secret,
            "issuerRef": issuer.model_dump(by_alias=True),
            "dnsNames": _dns_names(cluster, part),
            # A server is a client of the others.
            "usages": ["digital signature", "key encipherment", "server auth", "client auth"],
        },
    }


def _dns_names(cluster: ZooKeeperCluster, part: str) -> list[str]:
    """Return every server's name, whatever their number, and those that clients use."""
    domain = service_domain(cluster)
    servers = [f"*.{domain}", domain]
    if part == QUORUM:
        return servers
    short = f"{client_service_name(cluster)}.{cluster.metadata.namespace}"
    return [*servers, client_domain(cluster), f"{short}.svc", short]


def _name(cluster: ZooKeeperCluster, part: str) -> str:
    return f"{cluster.metadata.name}-{part}"
