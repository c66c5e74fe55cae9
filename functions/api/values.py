"""The scalar values of the API: quantities, ports, paths and names, each with its rule."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, WithJsonSchema

from functions.api.rules import Rule

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
# A hash may look like a number with an exponent of ten digits; there is no such quantity.
_QUANTITY = re.compile(rf"([+-]?{_NUMBER})([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{{1,2}})?")
_PREFIX = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6, "n": -3, "u": -2, "m": -1}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PATH = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+/?")


def quantity(text: str) -> Decimal:
    """Return the value of a Kubernetes quantity such as `512Mi`, `2` or `250m`."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quantity such as 512Mi, 2 or 250m.")
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix.endswith("i"):
        return number * Decimal(1024) ** _PREFIX[suffix[0].replace("K", "k")]
    if suffix in _PREFIX:
        return number * Decimal(1000) ** _PREFIX[suffix]
    return number * Decimal(10) ** int(suffix[1:])


def is_short(cel: str) -> str:
    """Return the CEL that a quantity has no exponent of three digits.

    It goes before every `quantity()`: the API server works for seconds on 1e9999999, and for
    minutes on a longer one (tried).
    """
    return f"!string({cel}).matches('[eE][+-]?[0-9][0-9][0-9]')"


def _is_positive_quantity(text: str) -> bool:
    return _QUANTITY.fullmatch(text) is not None and quantity(text) > 0


def _whole_number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Bool = StrictBool
Int = StrictInt

Count = Annotated[Int, Field(ge=0, le=2147483647)]
PositiveCount = Annotated[Int, Field(ge=1, le=2147483647)]
Port = Annotated[Int, Field(ge=1, le=65535)]

Quantity = Annotated[
    str,
    Field(max_length=32),
    BeforeValidator(_whole_number_as_text),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "maxLength": 32}),
    Rule(
        f"{is_short('self')} && isQuantity(string(self)) && "
        "quantity(string(self)).isGreaterThan(quantity('0'))",
        "This is not an amount that Kubernetes understands: write a positive quantity such as "
        "10Gi, 512Mi, 2 or 250m.",
        _is_positive_quantity,
    ),
]

AbsolutePath = Annotated[
    str,
    Field(max_length=256),
    Rule(
        "self.matches('^(/[A-Za-z0-9_][A-Za-z0-9._-]*)+/?$')",
        "This must be an absolute path below the root, such as /data, without spaces and '..'.",
        lambda path: _PATH.fullmatch(path) is not None,
    ),
    AfterValidator(lambda path: path.rstrip("/")),
]


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return _TIME.fullmatch(text) is not None


def _checked_time(text: str) -> str:
    if not _is_time(text):
        raise ValueError(f"{text!r} is no date-time such as 2026-01-31T12:00:00Z.")
    return text


Time = Annotated[
    str,
    Field(max_length=64, json_schema_extra={"format": "date-time"}),
    AfterValidator(_checked_time),
]

FileName = Annotated[
    str,
    Field(max_length=63),
    Rule(
        "self.matches('^[A-Za-z0-9_][A-Za-z0-9._-]*$')",
        "This must be the name of a file, such as zoo.cfg, without any folder.",
        lambda name: re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) is not None,
    ),
]

DomainName = Annotated[
    str,
    Field(max_length=100),
    Rule(
        "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
        "This must be the DNS domain of the Kubernetes cluster, such as cluster.local, in lower "
        "case and without a dot at either end.",
        lambda name: _DOMAIN.fullmatch(name) is not None,
    ),
]


def is_label(key: str, value: str) -> bool:
    """Whether Kubernetes takes this label."""
    prefix, slash, name = key.rpartition("/")
    prefix_fits = not slash or (len(prefix) <= 253 and _DOMAIN.fullmatch(prefix) is not None)
    return (
        prefix_fits
        and _LABEL.fullmatch(name) is not None
        and (value == "" or _LABEL.fullmatch(value) is not None)
    )


def list_map(key: str) -> dict[str, Any]:
    """Return what tells the API server that entries of a list are told apart by `key`."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def without_duplicates(entries: tuple[Any, ...]) -> tuple[Any, ...]:
    """Raise when two entries have one name, as the API server does for a list map."""
    if len({entry.name for entry in entries}) < len(entries):
        raise ValueError("Duplicate value: two entries have the same name.")
    return entries


# Bounded, so that the API server can price the rules over it.
StringMap = Annotated[dict[str, str], Field(max_length=64)]
NONE_GIVEN: dict[str, str] = {}

Labels = Annotated[
    dict[str, Annotated[str, Field(max_length=63)]],
    Field(max_length=64),
    Rule(
        "self.all(key, !format.qualifiedName().validate(key).hasValue() && "
        "!format.labelValue().validate(self[key]).hasValue())",
        "A label's key and value are made of letters, digits, dashes, dots and underscores, at "
        "most 63 of them, with a letter or digit at both ends; a key may have a DNS name and a "
        "slash in front.",
        lambda labels: all(is_label(key, value) for key, value in labels.items()),
    ),
]

# What Kubernetes itself defines and checks is passed on as it is.
PassedOn = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
]
