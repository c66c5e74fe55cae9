"""What the containers of one server's pod share: where its files are and how little each may do."""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.manifests.names import DATA_CLAIM, LOG_CLAIM, LOG_MOUNT

CONFIG_VOLUME = "config"
_OWN_USER = {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000}


def container_security() -> Manifest:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def pod_security(cluster: ZooKeeperCluster | None) -> Manifest:
    """Return who a pod runs as: as its cluster's spec says, so that files stay its servers' own."""
    pod = cluster.spec.pod if cluster is not None else None
    return {
        "runAsNonRoot": True,
        **({} if pod is not None and pod.assigned_user else _OWN_USER),
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
        **((pod.security_context or {}) if pod is not None else {}),
    }


def pull_policy(cluster: ZooKeeperCluster) -> Manifest:
    policy = cluster.spec.image_pull_policy
    return {"imagePullPolicy": policy} if policy else {}


def mounts(cluster: ZooKeeperCluster) -> list[Manifest]:
    config = cluster.spec.config
    logs = [] if cluster.spec.storage.log is None else [{"name": LOG_CLAIM, "mountPath": LOG_MOUNT}]
    return [
        {"name": DATA_CLAIM, "mountPath": config.data_dir},
        *logs,
        {"name": CONFIG_VOLUME, "mountPath": config.raw_config_dir, "readOnly": True},
    ]


def read_only_mounts(cluster: ZooKeeperCluster) -> list[Manifest]:
    return [{**mount, "readOnly": True} for mount in mounts(cluster)]
