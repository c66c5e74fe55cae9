"""Where a cluster can be reached, as status tells it."""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.api.ports import AGENT_PORT
from functions.manifests import names
from functions.manifests.server_version import has_native_metrics


def endpoints(cluster: ZooKeeperCluster) -> Manifest:
    spec = cluster.spec
    found = {"client": f"{names.client_domain(cluster)}:{spec.config.client_port}"}
    if spec.tls.client is not None:
        found["secureClient"] = f"{names.client_domain(cluster)}:{spec.tls.client.port}"
        if not spec.tls.client.plaintext:
            found["client"] = found["secureClient"]
    if spec.admin_server.enabled:
        found["admin"] = f"{names.service_domain(cluster)}:{spec.admin_server.port}"
    if spec.metrics.enabled:
        port = spec.metrics.port if has_native_metrics(cluster) else AGENT_PORT
        found["metrics"] = f"{names.service_domain(cluster)}:{port}"
    return found
