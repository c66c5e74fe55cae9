"""From the models to the structural schema that a CustomResourceDefinition takes. Pure.

pydantic writes JSON Schema 2020-12 with references; the API server wants one tree without them,
with nulls, titles and keywords it does not know left out.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_EMPTY: tuple[Any, ...] = (None, [], {})

# Arrays of pydantic's tuples and frozen objects say these; the API server knows none of them.
_UNKNOWN_KEYWORDS = frozenset({"title", "additionalProperties", "const"})


def structural_schema(model: type[BaseModel]) -> Schema:
    """Return the schema of `model` as a CustomResourceDefinition takes it."""
    whole = model.model_json_schema(by_alias=True)
    return _node(whole, whole.get("$defs", {}))


def without_defaults(schema: Schema) -> Schema:
    """Return `schema` without defaults, for what only our code writes: it says what it means."""
    return {
        key: _without_defaults_inside(value) for key, value in schema.items() if key != "default"
    }


def _without_defaults_inside(value: Any) -> Any:
    return without_defaults(value) if isinstance(value, dict) else value


def _node(schema: Schema, definitions: Schema) -> Schema:
    schema = _inlined(schema, definitions)
    node = {
        key: value
        for key, value in schema.items()
        if key not in _UNKNOWN_KEYWORDS and not key.startswith("$")
    }
    if "description" in node:
        node["description"] = " ".join(node["description"].split())
    if "properties" in node:
        node["properties"] = _properties(node["properties"], definitions)
    if "items" in node:
        node["items"] = _node(node["items"], definitions)
    if isinstance(values := schema.get("additionalProperties"), dict):
        node["additionalProperties"] = _node(values, definitions)
    return _with_plain_default(node)


def _properties(properties: Schema, definitions: Schema) -> Schema:
    return {name: _node(schema, definitions) for name, schema in properties.items()}


def _inlined(schema: Schema, definitions: Schema) -> Schema:
    """Put the referenced schema in place; what the field itself says wins over the type's."""
    own = dict(schema)
    if "anyOf" in own:
        (some,) = [choice for choice in own.pop("anyOf") if choice.get("type") != "null"]
        own = {**some, **own}
    reference = own.pop("$ref", None)
    if reference is None:
        return own
    target = _inlined(definitions[reference.rpartition("/")[2]], definitions)
    return {**target, **own}


def _with_plain_default(node: Schema) -> Schema:
    """Keep a default that says something, without its empty parts.

    A nested object's default names every field in it: the API server tries the rules on the
    default as it is written, before it fills in anything.
    """
    if "default" not in node:
        return node
    default = _said(node.pop("default"))
    return node if default in _EMPTY else {**node, "default": default}


def _said(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    said = {key: _said(inner) for key, inner in value.items()}
    return {key: inner for key, inner in said.items() if inner not in _EMPTY}
