"""Which cluster a backup or a restore means, or the sentence why it is none.

A StatefulSet of ours has its cluster's name and labels, so no StatefulSet has to be read.
"""

from __future__ import annotations

from collections.abc import Sequence

from functions.api.cluster import ZooKeeperCluster
from functions.api.instance import RELATIVE_DATA_DIR, Instance
from functions.manifests.names import labels, stateful_set_name

# What stands in a spec that says nothing of it: the cluster's own folder then, whatever it is.
DEFAULT_DATA_DIR = str(Instance.model_fields["data_dir"].default)
DATA_FOLDER = "version-2"


def find_cluster(
    instance: Instance, field: str, clusters: Sequence[ZooKeeperCluster]
) -> ZooKeeperCluster | str:
    """Return the one cluster of `clusters` (those of the namespace) that is meant.

    `field` is where the spec says it: spec.source or spec.target.
    """
    if instance.name is not None:
        found = [c for c in clusters if stateful_set_name(c) == instance.name]
        return found[0] if found else _no_such_name(field, instance.name)
    wanted = instance.label_selector.items()
    found = [c for c in clusters if wanted <= labels(c).items()]
    if len(found) == 1:
        return found[0]
    told = ",".join(f"{key}={value}" for key, value in sorted(wanted))
    if not found:
        return (
            f"No ZooKeeperCluster of this namespace has a StatefulSet with the labels {told} "
            f"({field}.labelSelector). Correct them, or give {field}.name."
        )
    names = ", ".join(sorted(c.metadata.name for c in found))
    return (
        f"The labels {told} ({field}.labelSelector) are those of {len(found)} clusters: {names}. "
        f"Give {field}.name, or more labels."
    )


def _no_such_name(field: str, name: str) -> str:
    return (
        f"No ZooKeeperCluster of this namespace has a StatefulSet {name} ({field}.name). Correct "
        "the name, or create the cluster; a StatefulSet that no ZooKeeperCluster made is not used."
    )


def other_data_dir(instance: Instance, field: str, cluster: ZooKeeperCluster) -> str:
    """Return why `dataDir` is not where the cluster's servers keep their data, or nothing."""
    own = f"{cluster.spec.config.data_dir}/{DATA_FOLDER}"
    if instance.data_dir in (DEFAULT_DATA_DIR, RELATIVE_DATA_DIR, own):
        return ""
    return (
        f"{field}.dataDir is {instance.data_dir}, but the servers of {cluster.metadata.name} keep "
        f"their data in {own}. Leave the field out."
    )
