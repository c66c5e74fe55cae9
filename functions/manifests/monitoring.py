"""What the Prometheus operator needs to watch one cluster: where to ask, and what to alert on."""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import PROMETHEUS_RULE, SERVICE_MONITOR, Kind
from functions.api.manifest import Manifest
from functions.manifests.alert_rules import server_alerts
from functions.manifests.names import AGENT_PORT_NAME, identity, owned_metadata, selector
from functions.manifests.server_version import has_native_metrics

KINDS: tuple[Kind, ...] = (SERVICE_MONITOR, PROMETHEUS_RULE)
# Of the agent: what it knows itself, and what the server says where it has no metrics of its own.
AGENT_PATH = "/metrics"
SERVER_PATH = "/metrics/server"


def monitor_name(cluster: ZooKeeperCluster) -> str:
    """Return the name of both objects: the cluster's own, as in the seed system."""
    return cluster.metadata.name


def monitoring_objects(cluster: ZooKeeperCluster) -> tuple[Manifest, ...]:
    """Return those of the two objects that the spec asks for."""
    metrics = cluster.spec.metrics
    if not metrics.enabled:
        return ()
    monitors = (service_monitor(cluster),) if metrics.service_monitor.enabled else ()
    rules = (prometheus_rule(cluster),) if metrics.prometheus_rule.enabled else ()
    return (*monitors, *rules)


def service_monitor(cluster: ZooKeeperCluster) -> Manifest:
    """Return whom Prometheus asks: every server and its agent, whether it serves or not.

    Only the headless Service has these ports, so no server is asked twice (seed defect G18).
    """
    own = ("metrics", "/metrics") if has_native_metrics(cluster) else (AGENT_PORT_NAME, SERVER_PATH)
    asked = (own, (AGENT_PORT_NAME, AGENT_PATH))
    return {
        **identity(SERVICE_MONITOR),
        "metadata": _metadata(cluster, cluster.spec.metrics.service_monitor.labels),
        "spec": {
            "selector": {"matchLabels": selector(cluster)},
            "endpoints": [_endpoint(cluster, port, path) for port, path in asked],
        },
    }


def _endpoint(cluster: ZooKeeperCluster, port: str, path: str) -> Manifest:
    return {
        "port": port,
        "path": path,
        "interval": cluster.spec.metrics.service_monitor.interval,
        # The label that everything of ours has; the Service's name need not be the cluster's.
        "relabelings": [
            {
                "action": "replace",
                "targetLabel": "zkcluster",
                "replacement": cluster.metadata.name,
            }
        ],
    }


def prometheus_rule(cluster: ZooKeeperCluster) -> Manifest:
    """Return the alert rules about the servers."""
    rules = server_alerts(cluster)
    groups = [{"name": f"zookeeper.{cluster.metadata.name}", "rules": rules}] if rules else []
    return {
        **identity(PROMETHEUS_RULE),
        "metadata": _metadata(cluster, cluster.spec.metrics.prometheus_rule.labels),
        "spec": {"groups": groups},
    }


def _metadata(cluster: ZooKeeperCluster, labels: object) -> Manifest:
    metadata = owned_metadata(cluster, monitor_name(cluster))
    return {**metadata, "labels": {**dict(labels), **metadata["labels"]}}  # type: ignore[call-overload]
