"""What Knative's validating webhook refuses, kind by kind: pure, a spec in, error texts out."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from local.eventing import cesql, cron
from local.eventing.durations import seconds_of
from local.eventing.field_errors import disallowed, error, invalid_key, invalid_value, missing
from local.eventing.filters import DIALECTS

Spec = Mapping[str, Any]
Errors = Iterator[str]

ATTRIBUTE_RULE = (
    "Attribute name must start with a letter and can only contain lowercase alphanumeric"
)

DELIVERY_WORDS = {"backoffPolicy": ("exponential", "linear"), "format": ("binary", "json")}

_ATTRIBUTE = re.compile(r"[a-z][a-z0-9]*")
_EXTENSION = re.compile(r"[a-zA-Z0-9]+")


def broker_errors(spec: Spec) -> Errors:
    yield from delivery_errors(spec.get("delivery"), "spec.delivery")
    config = spec.get("config")
    if config is not None:
        wanted = ("kind", "name", "apiVersion")
        yield from (missing(f"spec.config.{name}") for name in wanted if not config.get(name))


def trigger_errors(spec: Spec) -> Errors:
    if not spec.get("broker"):
        yield missing("spec.broker")
    if spec.get("brokerRef"):
        yield disallowed("spec.brokerRef")
    attributes = (spec.get("filter") or {}).get("attributes") or {}
    yield from _attribute_errors(attributes, "spec.filter.attributes")
    for index, entry in enumerate(spec.get("filters") or []):
        yield from _filter_errors(entry, f"spec.filters[{index}]")
    yield from destination_errors(spec.get("subscriber"), "spec.subscriber")
    yield from delivery_errors(spec.get("delivery"), "spec.delivery")


def trigger_change_errors(old: Spec, new: Spec) -> Errors:
    before, after = old.get("broker"), new.get("broker")
    if before != after:
        details = f'{{string}}:\n\t-: "{before}"\n\t+: "{after}"\n'
        yield error("Immutable fields changed (-old +new)", "spec", "broker", details=details)


def broker_change_errors(old: Spec, new: Spec) -> Errors:
    if old.get("config") != new.get("config"):
        yield error("Immutable fields changed (-old +new)", "spec", "config")


def api_source_errors(spec: Spec) -> Errors:
    if spec.get("mode", "Reference") not in ("Reference", "Resource"):
        yield invalid_value(spec["mode"], "spec.mode")
    if not spec.get("resources"):
        yield missing("spec.resources")
    for index, resource in enumerate(spec.get("resources") or []):
        yield from _resource_errors(resource, f"spec.resources[{index}]")
    owner = spec.get("owner")
    if owner is not None:
        yield from (missing(f"spec.owner.{n}") for n in ("apiVersion", "kind") if not owner.get(n))
    if spec.get("filters"):
        yield error("Filters is not empty but the NewAPIServerFilters feature is disabled.")
    yield from _source_errors(spec)


def ping_source_errors(spec: Spec) -> Errors:
    yield from _schedule_errors(spec)
    yield from _source_errors(spec)
    if spec.get("data") and spec.get("dataBase64"):
        yield error("expected exactly one, got both", "spec.data", "spec.dataBase64")
        return
    data, path = spec.get("data"), "spec.data"
    if spec.get("dataBase64"):
        path = "spec.dataBase64"
        try:
            data = base64.b64decode(spec["dataBase64"], validate=True).decode(errors="replace")
        except binascii.Error as problem:
            yield invalid_value(problem, path)
            return
    if data and spec.get("contentType") == "application/json":
        yield from _json_object_errors(data, path)


def event_policy_errors(_spec: Spec) -> Errors:
    yield error("oidc-authentication feature not enabled")


def destination_errors(destination: Any, path: str) -> Errors:
    """A sink or a subscriber: a reference, an absolute address, or a reference and a path."""
    destination = destination or {}
    reference, uri = destination.get("ref"), destination.get("uri")
    if not reference and not uri:
        yield error("expected at least one, got none", f"{path}.ref", f"{path}.uri")
        return
    if not reference:
        if not _is_absolute(uri):
            yield error(
                "invalid value: Relative URI is not allowed when Ref and "
                "[apiVersion, kind, name] is absent",
                f"{path}.uri",
            )
        return
    if uri and _is_absolute(uri):
        yield error(
            "Absolute URI is not allowed when Ref or [apiVersion, kind, name] is present",
            *(f"{path}.{name}" for name in ("[apiVersion, kind, name]", "ref", "uri")),
        )
    absent = [name for name in ("apiVersion", "kind", "name") if not reference.get(name)]
    yield from (missing(f"{path}.ref.{name}") for name in absent)


def delivery_errors(delivery: Any, path: str) -> Errors:
    if not delivery:
        return
    if delivery.get("deadLetterSink") is not None:
        yield from destination_errors(delivery["deadLetterSink"], f"{path}.deadLetterSink")
    yield from (invalid_value(delivery[name], f"{path}.{name}") for name in _wrong(delivery))
    if "retryAfterMax" in delivery:
        yield disallowed(f"{path}.retryAfterMax")


def _wrong(delivery: Spec) -> Iterator[str]:
    """Name the fields of a delivery whose value cannot be."""
    if delivery.get("retry", 0) < 0:
        yield "retry"
    for name, allowed in DELIVERY_WORDS.items():
        if delivery.get(name, allowed[0]) not in allowed:
            yield name
    for name in ("backoffDelay", "timeout"):
        if name in delivery and not _is_duration(delivery[name], positive=name == "timeout"):
            yield name


def _source_errors(spec: Spec) -> Errors:
    yield from destination_errors(spec.get("sink"), "spec.sink")
    for name in (spec.get("ceOverrides") or {}).get("extensions") or {}:
        if not _EXTENSION.fullmatch(name):
            rule = "keys are expected to be alphanumeric"
            yield invalid_key(name, "spec.ceOverrides.extensions", rule)


def _resource_errors(resource: Spec, path: str) -> Errors:
    version = resource.get("apiVersion")
    if not version:
        yield missing(f"{path}.apiVersion")
    elif version.count("/") > 1:
        yield invalid_value(version, f"{path}.apiVersion")
    if not resource.get("kind"):
        yield missing(f"{path}.kind")


def _schedule_errors(spec: Spec) -> Errors:
    schedule, zone = spec.get("schedule", "* * * * *"), spec.get("timezone") or ""
    try:
        cron.parse(schedule, zone)
    except cron.BadSchedule as problem:
        is_zone = str(problem).startswith("provided bad location")
        yield invalid_value(problem, "spec.timezone" if is_zone else "spec.schedule")


def _json_object_errors(data: str, path: str) -> Errors:
    try:
        value = json.loads(data)
    except ValueError as problem:
        yield invalid_value(problem, path)
        return
    if not isinstance(value, dict):
        go = {list: "array", str: "string", bool: "bool"}.get(type(value), "number")
        wanted = "map[string]interface {}"
        yield invalid_value(f"json: cannot unmarshal {go} into Go value of type {wanted}", path)


def _filter_errors(entry: Any, path: str) -> Errors:
    used = [name for name in DIALECTS if entry.get(name)]
    if len(used) > 1:
        yield error("multiple dialects found, filters can have only one dialect set")
        return
    for name in ("exact", "prefix", "suffix"):
        yield from _attribute_errors(entry.get(name) or {}, f"{path}.{name}")
    for name in ("all", "any"):
        for index, inner in enumerate(entry.get(name) or []):
            yield from _filter_errors(inner, f"{path}.{name}[{index}]")
    if entry.get("not"):
        yield from _filter_errors(entry["not"], f"{path}.not")
    if entry.get("cesql") and not _is_cesql(entry["cesql"]):
        yield invalid_value(entry["cesql"], f"{path}.cesql")


def _attribute_errors(attributes: Mapping[str, str], path: str) -> Errors:
    for name in attributes:
        if not _ATTRIBUTE.fullmatch(name):
            yield invalid_key(name, f"{path}[{name}]", ATTRIBUTE_RULE)


def _is_cesql(text: str) -> bool:
    try:
        cesql.parse(text)
    except cesql.SyntaxError:
        return False
    return True


def _is_absolute(uri: str) -> bool:
    parts = urlsplit(uri)
    return bool(parts.scheme and parts.netloc)


def _is_duration(text: str, *, positive: bool) -> bool:
    try:
        return seconds_of(text) > 0 or not positive
    except ValueError:
        return False
