"""What follows from the image a cluster's servers run."""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster

_OFFICIAL = ("zookeeper", "library/zookeeper", "docker.io/zookeeper", "docker.io/library/zookeeper")


def has_native_metrics(cluster: ZooKeeperCluster) -> bool:
    """Whether the servers serve Prometheus metrics themselves.

    Only where the provider's jar is known to be in the image, which is the official one: a server
    that is told to use a provider it does not have exits at once (tried with 3.9.5).
    """
    repository = cluster.zookeeper_image().partition("@")[0].rpartition(":")[0]
    return cluster.spec.metrics.enabled and repository in _OFFICIAL
