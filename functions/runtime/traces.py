"""One id through an event, the functions it wakes and what they do: W3C trace context in the logs.

Who sends an event may give it a trace, as the CloudEvents extension `traceparent` or as the HTTP
header of that name. Knative sends none unless tracing is set up, but all functions that an event
wakes get it with one and the same id: that is the trace then.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import re
import secrets
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from functions.runtime.logs import bound

TRACEPARENT = "traceparent"
NOT_SAMPLED = "00"
_FORM = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NOTHING = re.compile(r"0+")


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace, and whether somebody records it."""

    id: str
    flags: str = NOT_SAMPLED

    def parent(self) -> str:
        """Return the `traceparent` for what is sent from here, as a span of its own."""
        return f"00-{self.id}-{secrets.token_hex(8)}-{self.flags}"


_current: contextvars.ContextVar[Trace | None] = contextvars.ContextVar("trace", default=None)


def trace_of(attributes: Mapping[str, str], headers: Mapping[str, str]) -> Trace:
    """Return the trace an event belongs to: the sender's, or one made of the event's own id."""
    named = {name.lower(): value for name, value in headers.items()}
    for told in (attributes.get(TRACEPARENT, ""), named.get(TRACEPARENT, "")):
        if found := _parsed(told):
            return found
    return Trace(_of_event(attributes))


def _parsed(told: str) -> Trace | None:
    found = _FORM.fullmatch(told.strip().lower())
    if found is None or told.lower().startswith("ff"):
        return None
    if _NOTHING.fullmatch(found[1]) or _NOTHING.fullmatch(found[2]):
        return None
    return Trace(found[1], found[3])


def _of_event(attributes: Mapping[str, str]) -> str:
    """Return 32 hexadecimal digits: those of the id, where it is a UUID as Knative's are."""
    own = attributes.get("id", "")
    with contextlib.suppress(ValueError):
        return uuid.UUID(own).hex
    told = f"{attributes.get('source', '')}\n{own}"
    return hashlib.sha256(told.encode()).hexdigest()[:32]


@contextlib.contextmanager
def following(trace: Trace) -> Iterator[None]:
    """Log everything inside under this trace, and let events that are sent carry it on."""
    token = _current.set(trace)
    try:
        with bound(trace=trace.id):
            yield
    finally:
        _current.reset(token)


def carried() -> dict[str, str]:
    """Return the extension that lets an event sent now belong to the same trace."""
    trace = _current.get()
    return {TRACEPARENT: trace.parent()} if trace is not None else {}
