"""All that asks Prometheus for something here: the alert rules and the queries of the dashboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from functions.api.cluster import ZooKeeperCluster
from functions.manifests.alert_rules import server_alerts

MONITORING = Path(__file__).parents[2] / "config" / "monitoring"
VARIABLES = {"$__rate_interval": "5m", "$namespace": ".*", "$cluster": ".*"}


def rules() -> dict[str, Any]:
    """Return the groups of one cluster's rules and of the installation's."""
    metadata = {"name": "zk", "namespace": "apps"}
    cluster = ZooKeeperCluster.parse({"metadata": metadata, "spec": {}})
    installed = yaml.safe_load((MONITORING / "rules.yaml").read_text())["spec"]["groups"]
    return {"groups": [{"name": "zookeeper.zk", "rules": server_alerts(cluster)}, *installed]}


def queries() -> list[str]:
    """Return every query of the dashboard, with its variables in place."""
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    for name, value in VARIABLES.items():
        found = [query.replace(name, value) for query in found]
    return found
