"""CloudEvents as values, and their two HTTP forms: binary (headers) and structured (JSON)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

REQUIRED = ("specversion", "id", "source", "type")
VERSIONS = ("1.0", "0.3")
STRUCTURED = "application/cloudevents"
BATCH = "application/cloudevents-batch"
TTL = "knativebrokerttl"
ARRIVAL = "knativearrivaltime"

_NAME = re.compile(r"[a-z0-9]+")


class BadEvent(Exception):
    """The HTTP message carries no valid CloudEvent; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its context attributes (all of them strings), its body and the body's type."""

    attributes: Mapping[str, str]
    data: bytes = b""
    content_type: str = ""

    def get(self, name: str) -> str | None:
        if name == "datacontenttype":
            return self.content_type or None
        return self.attributes.get(name)

    def having(self, **attributes: str) -> Self:
        return replace(self, attributes={**self.attributes, **attributes})

    def without(self, name: str) -> Self:
        kept = {key: value for key, value in self.attributes.items() if key != name}
        return replace(self, attributes=kept)


def carries_event(headers: Mapping[str, str]) -> bool:
    """Tell whether an HTTP message claims to be a CloudEvent at all."""
    content_type = headers.get("Content-Type", "").lower()
    return content_type.startswith(STRUCTURED) or "ce-specversion" in headers


def read_event(headers: Mapping[str, str], body: bytes) -> Event:
    """Return the event of an HTTP message; raises BadEvent."""
    content_type = headers.get("Content-Type", "")
    if content_type.lower().startswith(BATCH):
        raise BadEvent("a batch of events is not accepted; send one event per request")
    if content_type.lower().startswith(STRUCTURED):
        return _checked(_structured(body))
    if "ce-specversion" not in headers:
        raise BadEvent("neither ce-* headers nor Content-Type application/cloudevents+json")
    attributes = {
        name.lower()[3:]: value for name, value in headers.items() if name.lower().startswith("ce-")
    }
    return _checked(Event(attributes, body, content_type))


def binary_headers(event: Event) -> dict[str, str]:
    """Return the headers of the binary form; the body is the data as it is."""
    headers = {f"Ce-{name.capitalize()}": value for name, value in event.attributes.items()}
    if event.content_type:
        headers["Content-Type"] = event.content_type
    return headers


def structured_body(event: Event) -> bytes:
    """Return the JSON of the structured form."""
    message: dict[str, Any] = dict(event.attributes)
    if event.content_type:
        message["datacontenttype"] = event.content_type
    if event.data and _is_json(event.content_type):
        message["data"] = json.loads(event.data)
    elif event.data:
        message["data_base64"] = base64.b64encode(event.data).decode()
    return json.dumps(message, separators=(",", ":")).encode()


def timestamp(moment: datetime | None = None) -> str:
    """Write a moment as Go does: RFC 3339 in UTC, without zeros at the end of the fraction."""
    text = (moment or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.rstrip("0").rstrip(".") + "Z"


def _structured(body: bytes) -> Event:
    try:
        message = json.loads(body)
    except ValueError as error:
        raise BadEvent(f"the structured event is no JSON: {error}") from error
    if not isinstance(message, dict):
        raise BadEvent("the structured event is no JSON object")
    content_type = str(message.pop("datacontenttype", "application/json"))
    data = _structured_data(message, content_type)
    return Event({name: _text(value) for name, value in message.items()}, data, content_type)


def _structured_data(message: dict[str, Any], content_type: str) -> bytes:
    encoded = message.pop("data_base64", None)
    if encoded is not None:
        try:
            return base64.b64decode(encoded, validate=True)
        except (ValueError, TypeError) as error:
            raise BadEvent(f"data_base64 is no base64: {error}") from error
    if "data" not in message:
        return b""
    data = message.pop("data")
    if isinstance(data, str) and not _is_json(content_type):
        return data.encode()
    return json.dumps(data, separators=(",", ":")).encode()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    raise BadEvent(f"an attribute must be a string, an integer or a boolean, not {value!r}")


def _checked(event: Event) -> Event:
    for name in REQUIRED:
        if not event.attributes.get(name):
            raise BadEvent(f"the attribute {name} is missing")
    if event.attributes["specversion"] not in VERSIONS:
        raise BadEvent(f"unknown specversion {event.attributes['specversion']}")
    for name in event.attributes:
        if not _NAME.fullmatch(name):
            raise BadEvent(f"the attribute name {name} may have only letters a-z and digits")
    return event


def _is_json(content_type: str) -> bool:
    plain = content_type.split(";")[0].strip().lower()
    return plain in {"", "application/json", "text/json"} or plain.endswith("+json")
