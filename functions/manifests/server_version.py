"""What follows from the image a cluster's servers run."""

from __future__ import annotations

import re

from functions.api.cluster import ZooKeeperCluster

_OFFICIAL = ("zookeeper", "library/zookeeper", "docker.io/zookeeper", "docker.io/library/zookeeper")


def has_native_metrics(cluster: ZooKeeperCluster) -> bool:
    """Whether the servers serve Prometheus metrics themselves.

    Only where the provider's jar is known to be in the image, which is the official one: a server
    that is told to use a provider it does not have exits at once (tried with 3.9.5).
    """
    repository = cluster.zookeeper_image().partition("@")[0].rpartition(":")[0]
    return cluster.spec.metrics.enabled and repository in _OFFICIAL


# The first of each line with `client.certReload` (ZOOKEEPER-3806, and NettyServerCnxnFactory in
# each tag; the line 3.6 never had it).
_CLIENT_RELOAD = ((3, 7, 2), (3, 8, 5), (3, 9, 0))


def reloads_client_certificate(cluster: ZooKeeperCluster) -> bool:
    """Whether a server notices by itself that the certificate it shows to clients has changed."""
    version = tuple(int(part) for part in re.findall(r"[0-9]+", cluster.zookeeper_version() or ""))
    first = [known for known in _CLIENT_RELOAD if known[:2] == version[:2]]
    return version >= (first or [_CLIENT_RELOAD[-1]])[0]
