"""What real Knative refuses of a manifest: the rules in the order in which they are asked.

`admission_error` is for tests that check YAML without a server; the webhook serves the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local.eventing import admission_rules as rules
from local.eventing.defaulting import defaulted
from local.eventing.schema_rules import schema_of, strict_errors, unknown_fields
from local.serving.rules import service_error

Object = dict[str, Any]

RULES: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "Broker": rules.broker_errors,
    "Trigger": rules.trigger_errors,
    "ApiServerSource": rules.api_source_errors,
    "PingSource": rules.ping_source_errors,
    "EventPolicy": rules.event_policy_errors,
}
CHANGE_RULES: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[str]]] = {
    "Broker": rules.broker_change_errors,
    "Trigger": rules.trigger_change_errors,
}


def admission_error(manifest: Object, old: Object | None = None) -> str | None:
    """Return why a cluster with Knative would refuse the manifest; None when it would not.

    Objects that are no Knative kind of ours are never refused here.
    """
    schema = schema_of(manifest.get("apiVersion", ""), manifest.get("kind", ""))
    if schema is None:
        return None
    strict = list(strict_errors(schema, manifest.get("spec") or {}))
    undecodable = [text for text in strict if text.startswith("strict decoding error")]
    found = [*undecodable, mutation_error(manifest), *strict, validation_error(manifest, old)]
    return next((text for text in found if text), None)


def mutation_error(manifest: Object) -> str | None:
    """What the mutating webhook says of fields it does not know."""
    schema = schema_of(manifest["apiVersion"], manifest["kind"])
    for name in unknown_fields(schema or {}, manifest.get("spec") or {}):
        return f'mutation failed: cannot decode incoming new object: json: unknown field "{name}"'
    return None


def validation_error(manifest: Object, old: Object | None = None) -> str | None:
    """What the validating webhook says of an object after its defaults were filled in."""
    kind = manifest["kind"]
    if kind == "Service":
        error = service_error(manifest)
        return f"validation failed: {error}" if error else None
    complete = defaulted(manifest)
    errors = list(RULES[kind](complete["spec"]))
    if old is not None and kind in CHANGE_RULES:
        errors += CHANGE_RULES[kind](defaulted(old)["spec"], complete["spec"])
    return "validation failed: " + "\n".join(errors) if errors else None
