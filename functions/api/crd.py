"""The CustomResourceDefinitions of our kinds: `python -m functions.api.crd FOLDER` writes them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from functions.api.backup import BackupSpec, BackupStatus
from functions.api.cluster import NAME_RULE, ClusterSpec
from functions.api.kinds import BACKUP, CLUSTER, RESTORE, VERSION, Kind
from functions.api.restore import RestoreSpec, RestoreStatus
from functions.api.rules import Rule, with_rules
from functions.api.schema import structural_schema, without_defaults
from functions.api.status import ClusterStatus

Manifest = dict[str, Any]

_HEADER = "# Made from functions/api by `make crds`; do not edit.\n"


def _column(name: str, path: str, kind: str = "string", *, wide: bool = False) -> Manifest:
    column: Manifest = {"name": name, "type": kind, "jsonPath": path}
    return column | {"priority": 1} if wide else column


@dataclass(frozen=True, slots=True)
class Described:
    """One of our kinds, as the API server and people get to know it."""

    kind: Kind
    short: str
    description: str
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: tuple[Manifest, ...]
    rules: tuple[Rule, ...] = ()
    has_scale: bool = False


_AGE = _column("Age", ".metadata.creationTimestamp", "date")

KINDS = (
    Described(
        kind=CLUSTER,
        short="zkcluster",
        description="A ZooKeeper ensemble.",
        spec=ClusterSpec,
        status=ClusterStatus,
        columns=(
            _column("Replicas", ".status.replicas", "integer"),
            _column("Ready", ".status.readyReplicas", "integer"),
            _column("Leader", ".status.leader"),
            _column("Version", ".status.version"),
            _column("Available", ".status.conditions[?(@.type=='Available')].status"),
            _column("Operation", ".status.operation.type"),
            _AGE,
            _column("Scaled", ".status.conditions[?(@.type=='Scaled')].reason", wide=True),
            _column("Updated", ".status.conditions[?(@.type=='Updated')].reason", wide=True),
            _column("Endpoint", ".status.endpoints.client", wide=True),
        ),
        rules=(NAME_RULE,),
        has_scale=True,
    ),
    Described(
        kind=BACKUP,
        short="zkbackup",
        description="Backups of a ZooKeeper ensemble in an object store.",
        spec=BackupSpec,
        status=BackupStatus,
        columns=(
            _column("Mode", ".spec.mode"),
            _column("Status", ".status.status"),
            _column("Progress", ".status.progress"),
            _column("Last", ".status.lastSuccess", "date"),
            _AGE,
            _column("Schedule", ".spec.schedule", wide=True),
            _column("Suspend", ".spec.suspend", "boolean", wide=True),
            _column("Server", ".status.server", wide=True),
            _column("Message", ".status.message", wide=True),
        ),
    ),
    Described(
        kind=RESTORE,
        short="zkrestore",
        description="A backup put into a ZooKeeper ensemble.",
        spec=RestoreSpec,
        status=RestoreStatus,
        columns=(
            _column("Cluster", ".status.cluster"),
            _column("Status", ".status.status"),
            _column("Step", ".status.step"),
            _column("Progress", ".status.progress"),
            _AGE,
            _column("Message", ".status.message", wide=True),
        ),
    ),
)


def crd_manifest(of: Kind = CLUSTER) -> Manifest:
    """Return the CustomResourceDefinition of one of our kinds."""
    return _crd(described(of))


def described(of: Kind) -> Described:
    return next(one for one in KINDS if one.kind == of)


def crd_yaml(of: Kind = CLUSTER) -> str:
    """Return the file crds/<plural>.yaml."""
    return _HEADER + yaml.safe_dump(crd_manifest(of), sort_keys=False, width=100)


def _crd(one: Described) -> Manifest:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{one.kind.plural}.{one.kind.group}"},
        "spec": {
            "group": one.kind.group,
            "names": _names(one.kind, one.short),
            "scope": "Namespaced",
            "versions": [_version(one)],
        },
    }


def _names(kind: Kind, short: str) -> Manifest:
    return {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.name.lower(),
        "shortNames": [short],
        "categories": ["all", "zookeeper"],
    }


def _version(one: Described) -> Manifest:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root(one)},
        "subresources": {"status": {}, **(_SCALE if one.has_scale else {})},
        "additionalPrinterColumns": list(one.columns),
    }


_SCALE = {
    "scale": {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    },
}


def _root(one: Described) -> Manifest:
    root = {
        "description": one.description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(one.spec),
            "status": without_defaults(structural_schema(one.status)),
        },
    }
    return with_rules(root, one.rules)


def main(arguments: Sequence[str]) -> int:
    """Write every file into a folder."""
    for one in KINDS:
        Path(arguments[0], f"{one.kind.plural}.yaml").write_text(crd_yaml(one.kind))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
