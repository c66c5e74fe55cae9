"""The names and labels of everything that belongs to one cluster.

Selectors never contain a user's labels, because selectors are immutable (seed defect G22).
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import CLUSTER, Kind
from functions.api.manifest import Manifest

MANAGED_BY = "zookeeper-functions"
# The label of every object that is made by us, for a cluster, a backup or a restore.
MANAGED = {"app.kubernetes.io/managed-by": MANAGED_BY}
FINALIZER = "zookeeper.example.com/clear"
APPLIED_HASH = "zookeeper.example.com/applied"

SERVER_CONTAINER = "zookeeper"
PREPARE_CONTAINER = "prepare"
AGENT_CONTAINER = "agent"
AGENT_PORT_NAME = "http-agent"
DATA_CLAIM = "data"
LOG_CLAIM = "datalog"
LOG_MOUNT = "/datalog"

# Pods use this pre-installed ClusterRole: reconcile-cluster may bind it, but holds none of it.
SERVER_ROLE = "zookeeper-functions-server"


def selector(cluster: ZooKeeperCluster) -> dict[str, str]:
    """Return the labels that select this cluster's pods (the seed system's own two)."""
    return {"operator": "zookeeper", "instance": cluster.metadata.name}


def labels(cluster: ZooKeeperCluster) -> dict[str, str]:
    """Return the labels of every object of the cluster; a user's own never replace ours."""
    return {
        **cluster.spec.labels,
        "app.kubernetes.io/name": "zookeeper",
        "app.kubernetes.io/instance": cluster.metadata.name,
        **MANAGED,
        **selector(cluster),
    }


def stateful_set_name(cluster: ZooKeeperCluster) -> str:
    return cluster.metadata.name


def headless_service_name(cluster: ZooKeeperCluster) -> str:
    return cluster.metadata.name


def client_service_name(cluster: ZooKeeperCluster) -> str:
    return f"{cluster.metadata.name}-client"


def config_map_name(cluster: ZooKeeperCluster) -> str:
    return f"{cluster.metadata.name}-config"


def service_account_name(cluster: ZooKeeperCluster) -> str:
    return f"{cluster.metadata.name}-sa"


def role_binding_name(cluster: ZooKeeperCluster) -> str:
    return f"{cluster.metadata.name}-rolebinding"


def super_user_secret_name(cluster: ZooKeeperCluster) -> str:
    return f"{cluster.metadata.name}-super-user"


def network_policy_name(cluster: ZooKeeperCluster) -> str:
    return f"{cluster.metadata.name}-servers"


def budget_name(cluster: ZooKeeperCluster) -> str:
    return cluster.metadata.name


def pod_name(cluster: ZooKeeperCluster, ordinal: int) -> str:
    return f"{stateful_set_name(cluster)}-{ordinal}"


def claim_name(cluster: ZooKeeperCluster, ordinal: int, template: str = DATA_CLAIM) -> str:
    return f"{template}-{pod_name(cluster, ordinal)}"


def service_domain(cluster: ZooKeeperCluster) -> str:
    """Return the headless Service's name in DNS: `status.service` of the seed system."""
    return ".".join(
        (
            headless_service_name(cluster),
            cluster.metadata.namespace,
            "svc",
            cluster.spec.cluster_domain,
        )
    )


def client_domain(cluster: ZooKeeperCluster) -> str:
    return ".".join(
        (
            client_service_name(cluster),
            cluster.metadata.namespace,
            "svc",
            cluster.spec.cluster_domain,
        )
    )


def pod_domain(cluster: ZooKeeperCluster, ordinal: int) -> str:
    """Return the stable DNS name of one server, the one in the member list."""
    return f"{pod_name(cluster, ordinal)}.{service_domain(cluster)}"


def ordinal_of(cluster: ZooKeeperCluster, pod: str) -> int | None:
    """Return the ordinal in a pod's name, or None when the pod is not one of this cluster's."""
    prefix = f"{stateful_set_name(cluster)}-"
    rest = pod.removeprefix(prefix)
    return int(rest) if pod.startswith(prefix) and rest.isdecimal() else None


def ordinal_of_claim(cluster: ZooKeeperCluster, claim: str) -> int | None:
    """Return the ordinal in a volume claim's name, or None when it is not this cluster's."""
    template, _, pod = claim.partition("-")
    return ordinal_of(cluster, pod) if template in (DATA_CLAIM, LOG_CLAIM) else None


def server_id(cluster: ZooKeeperCluster, pod: str) -> int:
    """Return the id of the server in one of the cluster's own pods."""
    ordinal = ordinal_of(cluster, pod)
    assert ordinal is not None, f"{pod} is no pod of {cluster.metadata.name}"
    return ordinal + 1


def owner_reference(cluster: ZooKeeperCluster) -> Manifest:
    """Return the controller reference that lets garbage collection follow the cluster."""
    return {
        "apiVersion": CLUSTER.api_version,
        "kind": CLUSTER.name,
        "name": cluster.metadata.name,
        "uid": cluster.metadata.uid,
        "controller": True,
    }


def owned_metadata(cluster: ZooKeeperCluster, name: str) -> Manifest:
    """Return the metadata of an object that the cluster owns."""
    return {
        "name": name,
        "namespace": cluster.metadata.namespace,
        "labels": labels(cluster),
        "ownerReferences": [owner_reference(cluster)],
    }


def identity(kind: Kind) -> Manifest:
    return {"apiVersion": kind.api_version, "kind": kind.name}
