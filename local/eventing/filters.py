"""Trigger filters: a predicate over an event's attributes, never over its data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local.eventing import cesql
from local.eventing.events import Event

Filter = Callable[[Event], bool]

DIALECTS = ("exact", "prefix", "suffix", "all", "any", "not", "cesql")


class BadFilter(Exception):
    """A filter that cannot be evaluated; the text says why."""


def trigger_filter(spec: Mapping[str, Any]) -> Filter:
    """Return the filter of a Trigger's spec: `filters` wins over `filter` when both are there."""
    if spec.get("filters"):
        return _all([_dialect(entry) for entry in spec["filters"]])
    attributes = (spec.get("filter") or {}).get("attributes") or {}
    return _all([_attribute(name, wanted) for name, wanted in attributes.items()])


def _attribute(name: str, wanted: str) -> Filter:
    """The old filter: "" asks only that the attribute is there and not empty."""
    if wanted == "":
        return lambda event: bool(event.get(name))
    return lambda event: event.get(name) == wanted


def _dialect(entry: Mapping[str, Any]) -> Filter:
    if not entry:
        return lambda _event: True
    if len(entry) > 1:
        raise BadFilter("multiple dialects found, filters can have only one dialect set")
    ((name, value),) = entry.items()
    match name:
        case "exact":
            return _pairs(value, lambda seen, wanted: seen == wanted)
        case "prefix":
            return _pairs(value, str.startswith)
        case "suffix":
            return _pairs(value, str.endswith)
        case "all":
            return _all([_dialect(inner) for inner in value])
        case "any":
            return _any([_dialect(inner) for inner in value])
        case _:
            return _negation_or_expression(name, value)


def _negation_or_expression(name: str, value: Any) -> Filter:
    if name == "not":
        inner = _dialect(value)
        return lambda event: not inner(event)
    if name == "cesql":
        return _expression(value)
    raise BadFilter(f"unknown filter dialect {name}; known are {', '.join(DIALECTS)}")


def _pairs(wanted: Mapping[str, str], compare: Callable[[str, str], bool]) -> Filter:
    def matches(event: Event) -> bool:
        return all(
            (seen := event.get(name)) is not None and compare(seen, value)
            for name, value in wanted.items()
        )

    return matches


def _expression(text: str) -> Filter:
    try:
        expression = cesql.parse(text)
    except cesql.SyntaxError as error:
        raise BadFilter(f"cesql: {error}") from error

    def matches(event: Event) -> bool:
        # An expression that fails (an attribute that is not there, say) is no match.
        try:
            return cesql.as_bool(expression(event))
        except cesql.EvaluationError:
            return False

    return matches


def _all(filters: list[Filter]) -> Filter:
    return lambda event: all(one(event) for one in filters)


def _any(filters: list[Filter]) -> Filter:
    return lambda event: any(one(event) for one in filters)
