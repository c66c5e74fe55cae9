"""The CustomResourceDefinition of ZooKeeperCluster: `python -m functions.api.crd` prints it."""

from __future__ import annotations

import sys
from typing import Any

import yaml

from functions.api.cluster import NAME_RULE, ClusterSpec
from functions.api.kinds import CLUSTER, VERSION, Kind
from functions.api.rules import with_rules
from functions.api.schema import structural_schema, without_defaults
from functions.api.status import ClusterStatus

Manifest = dict[str, Any]

_HEADER = "# Made from functions/api by `make crds`; do not edit.\n"


def crd_manifest() -> Manifest:
    """Return the CustomResourceDefinition of ZooKeeperCluster."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{CLUSTER.plural}.{CLUSTER.group}"},
        "spec": {
            "group": CLUSTER.group,
            "names": _names(CLUSTER, "zkcluster"),
            "scope": "Namespaced",
            "versions": [_version()],
        },
    }


def crd_yaml() -> str:
    """Return the file crds/zookeeperclusters.yaml."""
    return _HEADER + yaml.safe_dump(crd_manifest(), sort_keys=False, width=100)


def _names(kind: Kind, short: str) -> Manifest:
    return {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.name.lower(),
        "shortNames": [short],
        "categories": ["all", "zookeeper"],
    }


def _version() -> Manifest:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root()},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "additionalPrinterColumns": _columns(),
    }


def _root() -> Manifest:
    root = {
        "description": "A ZooKeeper ensemble.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(ClusterSpec),
            "status": without_defaults(structural_schema(ClusterStatus)),
        },
    }
    return with_rules(root, (NAME_RULE,))


def _columns() -> list[Manifest]:
    return [
        _column("Replicas", ".status.replicas", "integer"),
        _column("Ready", ".status.readyReplicas", "integer"),
        _column("Leader", ".status.leader"),
        _column("Version", ".status.version"),
        _column("Available", ".status.conditions[?(@.type=='Available')].status"),
        _column("Operation", ".status.operation.type"),
        _column("Age", ".metadata.creationTimestamp", "date"),
        _column("Scaled", ".status.conditions[?(@.type=='Scaled')].reason") | {"priority": 1},
        _column("Endpoint", ".status.endpoints.client") | {"priority": 1},
    ]


def _column(name: str, path: str, kind: str = "string") -> Manifest:
    return {"name": name, "type": kind, "jsonPath": path}


if __name__ == "__main__":
    sys.stdout.write(crd_yaml())
