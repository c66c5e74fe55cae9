"""What the CRD's own schema refuses, and which fields the mutating webhook does not know.

Knative's schemas keep unknown fields in some places (a source's spec, any delivery). Its mutating
webhook refuses them there; everywhere else it is the API server's strict validation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from local import knative_crds

Schema = Mapping[str, Any]

# Fields that Knative's types have although its schemas do not name them.
UNLISTED = {"spec.filters", "spec.delivery.retryAfterMax", "spec.delivery.timeout"}
JSON_TYPES = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object"}
KEEPS = "x-kubernetes-preserve-unknown-fields"


@cache
def schema_of(api_version: str, kind: str) -> Schema | None:
    """Return the spec's schema of one of our Knative kinds; None for any other kind."""
    group, _, version = api_version.partition("/")
    for definition in [*knative_crds.definitions("eventing"), *knative_crds.definitions("serving")]:
        spec = definition["spec"]
        if (spec["group"], spec["names"]["kind"]) == (group, kind):
            served = next((v for v in spec["versions"] if v["name"] == version), None)
            schema: Schema | None = served and served["schema"]["openAPIV3Schema"]
            return schema["properties"]["spec"] if schema else None
    return None


def strict_errors(schema: Schema, spec: Any) -> Iterator[str]:
    """What the API server refuses: fields outside the schema, wrong types, missing fields."""
    yield from _walk(schema, spec, "spec")


def unknown_fields(schema: Schema, spec: Any) -> Iterator[str]:
    """The fields the schema keeps but Knative's types do not know (by their plain name)."""
    for path in _kept(schema, spec, "spec"):
        if path not in UNLISTED:
            yield path.rpartition(".")[2]


def _walk(schema: Schema, value: Any, path: str) -> Iterator[str]:
    wanted = schema.get("type")
    if wanted and not _has_type(value, wanted):
        seen = JSON_TYPES.get(type(value), "null")
        yield f'{path}: Invalid value: "{seen}": {path} in body must be of type {wanted}: "{seen}"'
    elif schema.get(KEEPS) and not schema.get("properties"):
        return  # anything goes here
    elif isinstance(value, dict):
        yield from _walk_fields(schema, value, path)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _walk(schema.get("items") or {}, child, f"{path}[{index}]")


def _walk_fields(schema: Schema, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in schema.get("required") or []:
        if name not in value:
            yield f"{path}.{name}: Required value"
    for name, inner, child in _children(schema, value):
        if inner is not None:
            yield from _walk(inner, child, f"{path}.{name}")
        elif not schema.get(KEEPS):
            yield f'strict decoding error: unknown field "{path}.{name}"'


def _kept(schema: Schema, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, child in enumerate(value):
            yield from _kept(schema.get("items") or {}, child, f"{path}[{index}]")
    elif isinstance(value, dict) and schema.get("properties"):
        for name, inner, child in _children(schema, value):
            if inner is None and schema.get(KEEPS):
                yield f"{path}.{name}"
            elif inner is not None:
                yield from _kept(inner, child, f"{path}.{name}")


def _children(schema: Schema, value: Mapping[str, Any]) -> Iterator[tuple[str, Schema | None, Any]]:
    """Yield each field with its schema; None when the schema does not name it."""
    properties, every = schema.get("properties") or {}, schema.get("additionalProperties")
    for name, child in value.items():
        if child is not None:
            yield name, properties.get(name, every), child


def _has_type(value: Any, wanted: str) -> bool:
    if wanted == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    kinds = {"string": str, "boolean": bool, "array": list, "object": dict}
    return isinstance(value, kinds[wanted])
