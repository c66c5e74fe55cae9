"""The servers' volumes: the StatefulSet's claim templates, and the claims made from them.

`scale` makes the claims of a new cluster itself, so that their uids are on record before any pod
starts (DESIGN 11.2); the StatefulSet then finds them by name.
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import PERSISTENT_VOLUME_CLAIM
from functions.api.manifest import Manifest
from functions.api.storage import Volume
from functions.manifests.names import (
    DATA_CLAIM,
    LOG_CLAIM,
    claim_name,
    identity,
    labels,
)


def claim_templates(cluster: ZooKeeperCluster) -> list[Manifest]:
    """Return the volumeClaimTemplates; none for ephemeral storage."""
    storage = cluster.spec.storage
    if storage.ephemeral:
        return []
    data = _template(DATA_CLAIM, storage)
    return [data] if storage.log is None else [data, _template(LOG_CLAIM, storage.log)]


def claims(cluster: ZooKeeperCluster, ordinal: int) -> list[Manifest]:
    """Return the claims of one server, named as the StatefulSet names them."""
    return [_claim(cluster, ordinal, template) for template in claim_templates(cluster)]


def _claim(cluster: ZooKeeperCluster, ordinal: int, template: Manifest) -> Manifest:
    metadata = template["metadata"]
    return {
        **template,
        "metadata": {
            "name": claim_name(cluster, ordinal, metadata["name"]),
            "namespace": cluster.metadata.namespace,
            "labels": labels(cluster),
            "annotations": metadata["annotations"],
        },
    }


def _template(name: str, volume: Volume) -> Manifest:
    class_name = volume.storage_class_name
    named_class = {} if class_name is None else {"storageClassName": class_name}
    return {
        **identity(PERSISTENT_VOLUME_CLAIM),
        "metadata": {"name": name, "annotations": dict(volume.annotations)},
        "spec": {
            "accessModes": list(volume.access_modes),
            "volumeMode": "Filesystem",
            "resources": {"requests": {"storage": volume.size}},
            **named_class,
        },
    }
