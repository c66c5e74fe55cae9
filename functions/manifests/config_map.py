"""The ConfigMap with the servers' static configuration, under the seed system's keys."""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import CONFIG_MAP
from functions.api.manifest import Manifest
from functions.manifests.encryption import PLAIN, Encryption
from functions.manifests.fingerprint import fingerprint
from functions.manifests.names import config_map_name, identity, owned_metadata
from functions.manifests.server_config import (
    log4j_properties,
    log4j_quiet_properties,
    logback_xml,
    zoo_cfg,
)


def config_files(cluster: ZooKeeperCluster, encryption: Encryption = PLAIN) -> dict[str, str]:
    """Return file name to content, as the servers find them in `rawConfigDir`."""
    return {
        cluster.spec.config.static_config: zoo_cfg(cluster, encryption),
        "log4j.properties": log4j_properties(cluster),
        "log4j-quiet.properties": log4j_quiet_properties(),
        "logback.xml": logback_xml(cluster),
    }


def config_map(cluster: ZooKeeperCluster, encryption: Encryption = PLAIN) -> Manifest:
    return {
        **identity(CONFIG_MAP),
        "metadata": owned_metadata(cluster, config_map_name(cluster)),
        "data": config_files(cluster, encryption),
    }


def config_hash(cluster: ZooKeeperCluster, encryption: Encryption = PLAIN) -> str:
    """Return what changes when a server would start with other files: a reason to roll."""
    return fingerprint(config_files(cluster, encryption))
