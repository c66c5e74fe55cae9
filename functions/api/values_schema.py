"""The schema of the values of the chart zookeeper-cluster: what Helm checks by itself.

`python -m functions.api.values_schema FILE` writes it. The spec is the CustomResourceDefinition's
as plain JSON Schema; the rules beyond a schema (CEL) are left to the API server.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from functions.api.cluster import ClusterSpec
from functions.api.schema import structural_schema

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
# Kubernetes' own, and a format that JSON Schema does not know.
_KUBERNETES = ("x-kubernetes-", "format")
_AS_SPEC = "What `kubectl explain zkcluster.spec` says."
_TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}


def values_schema() -> Schema:
    """Return the schema of values.yaml; a field that is not known is refused."""
    properties: Schema = {
        "global": {"type": "object"},
        "name": {"type": "string", "description": "Empty: the release's name."},
        "labels": _TEXTS,
        "annotations": _TEXTS,
        "keep": {"type": "boolean", "description": "Uninstalling leaves the ensemble running."},
        "spec": {**_plain(structural_schema(ClusterSpec)), "description": _AS_SPEC},
    }
    return {
        "$schema": DRAFT,
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def values_schema_json() -> str:
    return json.dumps(values_schema(), indent=1, ensure_ascii=False) + "\n"


def _plain(node: Mapping[str, Any]) -> Schema:
    plain = {key: value for key, value in node.items() if not key.startswith(_KUBERNETES)}
    if node.get("x-kubernetes-int-or-string"):
        plain["type"] = ["integer", "string"]
    if "properties" in node:
        plain["properties"] = {name: _plain(one) for name, one in node["properties"].items()}
    for inner in ("items", "additionalProperties"):
        if isinstance(node.get(inner), dict):
            plain[inner] = _plain(node[inner])
    is_closed = "properties" in node and not node.get("x-kubernetes-preserve-unknown-fields")
    return {**plain, "additionalProperties": False} if is_closed else plain


def main(arguments: Sequence[str]) -> int:
    Path(arguments[0]).write_text(values_schema_json())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
