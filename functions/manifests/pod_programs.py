"""The containers that run our own programs beside a server: its preparation and its agent."""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.api.ports import AGENT_PORT
from functions.api.quarantine import quarantine_port
from functions.manifests.access import digest_key
from functions.manifests.container import (
    container_security,
    mounts,
    pull_policy,
    read_only_mounts,
)
from functions.manifests.encryption import Encryption, program_env, program_mounts
from functions.manifests.installation import Installation
from functions.manifests.login import Login, prepare_login_env, prepare_login_mounts
from functions.manifests.names import (
    AGENT_CONTAINER,
    AGENT_PORT_NAME,
    DATA_CLAIM,
    LOG_CLAIM,
    LOG_MOUNT,
    PREPARE_CONTAINER,
    service_domain,
    super_user_secret_name,
)
from functions.manifests.server_config import client_address

# The seed system's helper images: their programs are ours now.
_SEED_HELPER = "go2sheep/zk-helper"


def is_seed_helper(image: str) -> bool:
    return image.partition("@")[0].partition(":")[0] == _SEED_HELPER


def helper_image(cluster: ZooKeeperCluster, functions_image: str) -> str:
    """Return the image of the pod-side programs: the spec's own, or the functions' image."""
    asked = cluster.spec.helper_image
    return functions_image if not asked or is_seed_helper(asked) else asked


def prepare_container(
    cluster: ZooKeeperCluster, installation: Installation, encryption: Encryption, login: Login
) -> Manifest:
    """Return the init container that decides what the server starts from."""
    return {
        **_program(PREPARE_CONTAINER, cluster, installation),
        "env": [
            {"name": "CLUSTER", "value": cluster.metadata.name},
            {"name": "DOMAIN", "value": service_domain(cluster)},
            *_folders(cluster),
            *_server_ports(cluster),
            {"name": "CLAIM", "value": _marked_claim(cluster)},
            _field("NAMESPACE", "metadata.namespace"),
            _field("POD_NAME", "metadata.name"),
            _field("POD_UID", "metadata.uid"),
            _field("POD_IP", "status.podIP"),
            *program_env(cluster, encryption),
            *_inside(cluster, encryption),
            *([*prepare_login_env(login), super_digest(cluster)] if login.users else []),
        ],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "128Mi"},
        },
        "securityContext": container_security(),
        "volumeMounts": [
            *mounts(cluster),
            *program_mounts(cluster, encryption),
            *prepare_login_mounts(login),
        ],
    }


def agent_container(
    cluster: ZooKeeperCluster, installation: Installation, encryption: Encryption
) -> Manifest:
    """Return the sidecar that tells of the server's role and answers what is asked about it.

    It has no probe: whether a pod is ready is the server's alone to say. It has no limit of
    processor time, because a held-up agent would be late when a leader is lost; its request says
    how little it gets where others want the time too.
    """
    broker = installation.broker_url
    return {
        **_program(AGENT_CONTAINER, cluster, installation),
        "env": [
            {"name": "CLUSTER", "value": cluster.metadata.name},
            {"name": "DOMAIN", "value": service_domain(cluster)},
            *_folders(cluster),
            *_server_ports(cluster),
            {"name": "AGENT_PORT", "value": str(AGENT_PORT)},
            super_digest(cluster),
            *([{"name": "BROKER_URL", "value": broker}] if broker else []),
            _field("NAMESPACE", "metadata.namespace"),
            _field("POD_NAME", "metadata.name"),
            *program_env(cluster, encryption),
        ],
        "ports": [{"name": AGENT_PORT_NAME, "containerPort": AGENT_PORT, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "64Mi"},
        },
        "securityContext": {**container_security(), "readOnlyRootFilesystem": True},
        "volumeMounts": [*read_only_mounts(cluster), *program_mounts(cluster, encryption)],
    }


def _program(name: str, cluster: ZooKeeperCluster, installation: Installation) -> Manifest:
    return {
        "name": name,
        "image": helper_image(cluster, installation.functions_image),
        **pull_policy(cluster),
        "command": ["python", "-m", f"functions.pods.{name}"],
    }


def _folders(cluster: ZooKeeperCluster) -> list[Manifest]:
    """Return where a server keeps its things (`functions.pods.disk.Folders`)."""
    config = cluster.spec.config
    return [
        {"name": "DATA_DIR", "value": config.data_dir},
        {"name": "DATA_LOG_DIR", "value": _log_dir(cluster)},
        {"name": "CFG_DIR", "value": config.config_dir},
        {"name": "RAW_CFG_DIR", "value": config.raw_config_dir},
        {"name": "STATIC_CONFIG", "value": config.static_config},
    ]


def _server_ports(cluster: ZooKeeperCluster) -> list[Manifest]:
    config = cluster.spec.config
    return [
        {"name": "CLIENT_PORT", "value": str(config.client_port)},
        {"name": "QUARANTINE_PORT", "value": str(quarantine_port(cluster.spec))},
        {"name": "FOLLOWER_PORT", "value": str(config.follower_port)},
        {"name": "LEADER_ELECTION_PORT", "value": str(config.leader_election_port)},
    ]


def _inside(cluster: ZooKeeperCluster, encryption: Encryption) -> list[Manifest]:
    """Return the variable that keeps a server's port without TLS inside its pod."""
    if not encryption.is_plaintext_closed:
        return []
    return [{"name": "INSIDE_ADDRESS", "value": client_address(cluster, is_plaintext_closed=True)}]


def super_digest(cluster: ZooKeeperCluster) -> Manifest:
    """Return the variable with what a server knows of its super user; no password is in a pod."""
    secret = {"name": super_user_secret_name(cluster), "key": digest_key(cluster)}
    return {"name": "SUPER_DIGEST", "valueFrom": {"secretKeyRef": secret}}


def _field(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _log_dir(cluster: ZooKeeperCluster) -> str:
    return cluster.spec.config.data_dir if cluster.spec.storage.log is None else LOG_MOUNT


def _marked_claim(cluster: ZooKeeperCluster) -> str:
    """Return the claim template whose volume decides whether a disk is new.

    The initialize marker is read in the transaction-log directory, so with a volume of its own
    for the log it is that volume (zookeeper.md 4.4). Empty for ephemeral storage.
    """
    if cluster.spec.storage.ephemeral:
        return ""
    return DATA_CLAIM if cluster.spec.storage.log is None else LOG_CLAIM
