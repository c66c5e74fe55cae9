"""The StatefulSet that runs a cluster's servers (rule 1 of the design).

Pods start all together (an outage of all would deadlock otherwise) and are replaced only by
`roll`, in an order that keeps the quorum. Volumes are never deleted by Kubernetes: with
`whenScaled: Delete`, stopping at 0 replicas deleted every claim within seconds (tried).
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import STATEFUL_SET
from functions.api.manifest import Manifest
from functions.manifests.claims import claim_templates
from functions.manifests.encryption import Encryption
from functions.manifests.installation import Installation
from functions.manifests.login import Credentials
from functions.manifests.names import (
    headless_service_name,
    identity,
    owned_metadata,
    selector,
    stateful_set_name,
)
from functions.manifests.pod import pod_template


def stateful_set(
    cluster: ZooKeeperCluster,
    installation: Installation,
    credentials: Credentials,
    config_hash: str,
    encryption: Encryption,
) -> Manifest:
    """Return the StatefulSet without `replicas`, which belong to `scale`."""
    return {
        **identity(STATEFUL_SET),
        "metadata": owned_metadata(cluster, stateful_set_name(cluster)),
        "spec": {
            "serviceName": headless_service_name(cluster),
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "OnDelete"},
            "revisionHistoryLimit": 10,
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": "Retain",
                "whenScaled": "Retain",
            },
            "selector": {"matchLabels": selector(cluster)},
            "template": pod_template(cluster, installation, credentials, config_hash, encryption),
            "volumeClaimTemplates": claim_templates(cluster),
        },
    }


def with_replicas(manifest: Manifest, replicas: int) -> Manifest:
    """Return the same StatefulSet with its number of servers, for its creation."""
    return {**manifest, "spec": {**manifest["spec"], "replicas": replicas}}
