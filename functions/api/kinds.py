"""The Kubernetes kinds this product reads and writes, and how an object of each is addressed."""

from __future__ import annotations

from dataclasses import dataclass

GROUP = "zookeeper.example.com"
VERSION = "v1alpha1"


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of the API server: what its objects are called and where they are served."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return self.api_version.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Ref:
    """The address of one object: its kind, namespace (empty if cluster-scoped) and name."""

    kind: Kind
    namespace: str
    name: str


CLUSTER = Kind(f"{GROUP}/{VERSION}", "ZooKeeperCluster", "zookeeperclusters")
BACKUP = Kind(f"{GROUP}/{VERSION}", "ZooKeeperBackup", "zookeeperbackups")
RESTORE = Kind(f"{GROUP}/{VERSION}", "ZooKeeperRestore", "zookeeperrestores")

CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
EVENT = Kind("v1", "Event", "events")
PERSISTENT_VOLUME_CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
NODE = Kind("v1", "Node", "nodes", namespaced=False)
POD = Kind("v1", "Pod", "pods")
SECRET = Kind("v1", "Secret", "secrets")
SERVICE = Kind("v1", "Service", "services")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
JOB = Kind("batch/v1", "Job", "jobs")
CRON_JOB = Kind("batch/v1", "CronJob", "cronjobs")
POD_DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
SERVICE_MONITOR = Kind("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors")
CERTIFICATE = Kind("cert-manager.io/v1", "Certificate", "certificates")
PROMETHEUS_RULE = Kind("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules")

KINDS: dict[tuple[str, str], Kind] = {
    (kind.api_version, kind.name): kind
    for kind in (
        CLUSTER, BACKUP, RESTORE, CONFIG_MAP, EVENT, PERSISTENT_VOLUME_CLAIM, POD, SECRET, SERVICE,
        SERVICE_ACCOUNT, STATEFUL_SET, JOB, CRON_JOB, POD_DISRUPTION_BUDGET, ROLE_BINDING,
        NETWORK_POLICY, SERVICE_MONITOR, PROMETHEUS_RULE, CERTIFICATE,
    )
}  # fmt: skip
