"""What TLS adds to a server: lines of zoo.cfg, volumes of its pod, and how far a change has come.

Servers that speak plain and servers that speak TLS do not hear each other, so the quorum changes in
phases of which only neighbours run side by side (ZooKeeper's `portUnification`). A pod's annotation
says which phase it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.manifests.server_version import reloads_client_certificate

PHASE_ANNOTATION = "zookeeper.example.com/quorum-tls"
QUORUM_SECRET_ANNOTATION = "zookeeper.example.com/quorum-tls-secret"
CLIENT_PORT_ANNOTATION = "zookeeper.example.com/client-tls-port"
CERTIFICATE_ANNOTATION = "zookeeper.example.com/client-certificate"
# The restore after whose end a pod was made: before, servers start without the port for TLS.
OPENED_ANNOTATION = "zookeeper.example.com/restored"
PLAINTEXT_ANNOTATION = "zookeeper.example.com/client-plaintext"
CLOSED = "closed"

# The Secrets as they are, which only our own programs see, and what is made of them for ZooKeeper.
SECRETS_MOUNT = "/tls-secrets"
STORES_MOUNT = "/tls"
STORES_VOLUME = "tls"
KEY_STORE = "keystore.pem"
TRUST_STORE = "truststore.pem"
CLIENT = "client"
QUORUM = "quorum"

# kubelet lets the pods' group read them, and nobody else.
_SECRET_MODE = 0o440


class Phase(Enum):
    """How a server speaks to the others; a value's neighbours understand it."""

    PLAIN = "plain"
    ACCEPT = "accept"  # Speaks plain, understands both.
    SPEAK = "speak"  # Speaks TLS, understands both.
    REQUIRE = "require"  # Speaks TLS, and hangs up on anything else.


PHASES = tuple(Phase)


@dataclass(frozen=True, slots=True)
class Encryption:
    """What of TLS is in force in a pod's template."""

    phase: Phase = Phase.PLAIN
    quorum_secret: str = ""
    client_port: int = 0
    """Where clients are spoken to by TLS; 0: nowhere."""
    certificate: str = ""
    """The fingerprint of the clients' Secret, where only a restart makes a server read it."""
    is_plaintext_closed: bool = False
    """Whether the server listens without TLS on its pod's loopback alone."""

    def annotations(self) -> dict[str, str]:
        """Return what a pod says of itself; a pod without TLS says nothing."""
        quorum = {
            PHASE_ANNOTATION: self.phase.value,
            QUORUM_SECRET_ANNOTATION: self.quorum_secret,
        }
        return {
            **(quorum if self.phase is not Phase.PLAIN else {}),
            **({CLIENT_PORT_ANNOTATION: str(self.client_port)} if self.client_port else {}),
            **({CERTIFICATE_ANNOTATION: self.certificate} if self.certificate else {}),
            **({PLAINTEXT_ANNOTATION: CLOSED} if self.is_plaintext_closed else {}),
        }


PLAIN = Encryption()


def encryption_of(annotations: Mapping[str, str]) -> Encryption:
    """Return what the annotations of a pod, or of a template, say."""
    return Encryption(
        phase_of(annotations),
        annotations.get(QUORUM_SECRET_ANNOTATION, ""),
        _port_of(annotations),
        annotations.get(CERTIFICATE_ANNOTATION, ""),
        annotations.get(PLAINTEXT_ANNOTATION) == CLOSED,
    )


def _port_of(annotations: Mapping[str, str]) -> int:
    told = annotations.get(CLIENT_PORT_ANNOTATION, "")
    return int(told) if told.isdecimal() else 0


def phase_of(annotations: Mapping[str, str]) -> Phase:
    told = annotations.get(PHASE_ANNOTATION, "")
    return next((phase for phase in PHASES if phase.value == told), Phase.PLAIN)


def client_port(cluster: ZooKeeperCluster) -> int:
    """Return the port that the spec wants TLS for clients at; 0: none."""
    client = cluster.spec.tls.client
    return client.port if client is not None else 0


def tls_settings(cluster: ZooKeeperCluster, encryption: Encryption) -> dict[str, object]:
    """Return the lines of zoo.cfg about TLS; none for a cluster without."""
    return {**_client_settings(cluster), **_quorum_settings(cluster, encryption.phase)}


def _client_settings(cluster: ZooKeeperCluster) -> dict[str, object]:
    client = cluster.spec.tls.client
    if client is None:
        return {}
    reload = {"client.certReload": "true"} if reloads_client_certificate(cluster) else {}
    return {
        "secureClientPort": client.port,
        # The default factory (NIO) knows no TLS; one factory serves both ports.
        "serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory",
        "ssl.clientAuth": client.client_auth,
        **_stores("ssl", CLIENT),
        **reload,
    }


def _quorum_settings(cluster: ZooKeeperCluster, phase: Phase) -> dict[str, object]:
    if phase is Phase.PLAIN:
        return {}
    quorum = cluster.spec.tls.quorum
    verify = quorum is None or quorum.verify_hostnames
    return {
        "sslQuorum": _said(phase in (Phase.SPEAK, Phase.REQUIRE)),
        "portUnification": _said(phase is not Phase.REQUIRE),
        "sslQuorumReloadCertFiles": "true",
        "ssl.quorum.hostnameVerification": _said(verify),
        **_stores("ssl.quorum", QUORUM),
    }


def _said(value: bool) -> str:
    return str(value).lower()


def _stores(prefix: str, part: str) -> dict[str, object]:
    return {
        f"{prefix}.keyStore.location": f"{STORES_MOUNT}/{part}/{KEY_STORE}",
        f"{prefix}.trustStore.location": f"{STORES_MOUNT}/{part}/{TRUST_STORE}",
    }


def secrets(cluster: ZooKeeperCluster, encryption: Encryption) -> dict[str, str]:
    """Return which Secrets a pod mounts: what they are for, and their names."""
    client = cluster.spec.tls.client
    return {
        **({CLIENT: client.secret_name} if client is not None else {}),
        **({QUORUM: encryption.quorum_secret} if encryption.phase is not Phase.PLAIN else {}),
    }


def tls_volumes(cluster: ZooKeeperCluster, encryption: Encryption) -> list[Manifest]:
    """Return the volumes: the Secrets, and memory for what ZooKeeper reads."""
    mounted = secrets(cluster, encryption)
    volumes: list[Manifest] = [
        {"name": _volume(part), "secret": {"secretName": name, "defaultMode": _SECRET_MODE}}
        for part, name in mounted.items()
    ]
    # A key never touches a disk: neither a Secret's volume nor this one is written to any.
    stores: Manifest = {"name": STORES_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    return [*volumes, stores] if mounted else []


def server_mounts(cluster: ZooKeeperCluster, encryption: Encryption) -> list[Manifest]:
    """Return what the server sees: the stores, never the Secrets."""
    if not secrets(cluster, encryption):
        return []
    return [{"name": STORES_VOLUME, "mountPath": STORES_MOUNT, "readOnly": True}]


def program_mounts(cluster: ZooKeeperCluster, encryption: Encryption) -> list[Manifest]:
    """Return what the programs see that make the stores of the Secrets."""
    mounted: list[Manifest] = [
        {"name": _volume(part), "mountPath": f"{SECRETS_MOUNT}/{part}", "readOnly": True}
        for part in secrets(cluster, encryption)
    ]
    return [*mounted, {"name": STORES_VOLUME, "mountPath": STORES_MOUNT}] if mounted else []


def program_env(cluster: ZooKeeperCluster, encryption: Encryption) -> list[Manifest]:
    """Return where those programs read and write; nothing for a cluster without TLS."""
    parts = secrets(cluster, encryption)
    if not parts:
        return []
    return [
        {"name": "TLS_SECRETS", "value": SECRETS_MOUNT},
        {"name": "TLS_STORES", "value": STORES_MOUNT},
        {"name": "TLS_PARTS", "value": " ".join(parts)},
    ]


def _volume(part: str) -> str:
    return f"tls-{part}"
