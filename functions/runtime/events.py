"""From a CloudEvent to the object it is about, and back.

An event says only which object to look at (DESIGN section 3): what happened to it is never read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.api.errors import InvalidEvent
from functions.api.kinds import KINDS, Ref

API_SERVER_EVENT = "dev.knative.apiserver."
ROLE_EVENT = "com.example.zookeeper.role.changed"
ASKED_EVENT = "com.example.zookeeper.members.asked"
AGENT_EVENTS = (ROLE_EVENT, ASKED_EVENT)
PING_EVENT = "dev.knative.sources.ping"
LARGEST_BODY = 1 << 20
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# What Kubernetes allows of any name, those of roles included.
NAME = re.compile(r"(?!\.{1,2}$)[^/%\s]{1,253}")


@dataclass(frozen=True, slots=True)
class Event:
    """The attributes (all strings) and the data of one CloudEvent, and when it had arrived.

    `arrived` is in seconds of `time.monotonic`, None when that is not known.
    """

    attributes: Mapping[str, str]
    data: Any = None
    arrived: float | None = None

    @property
    def id(self) -> str:
        return self.attributes.get("id", "")

    @property
    def type(self) -> str:
        return self.attributes.get("type", "")


def parse_event(headers: Mapping[str, str], body: bytes) -> Event:
    """Return the event of a request, in binary or structured mode; raises InvalidEvent."""
    from cloudevents.exceptions import GenericException
    from cloudevents.http import from_http

    if len(body) > LARGEST_BODY:
        raise InvalidEvent(f"The event has {len(body)} bytes; at most {LARGEST_BODY} are read.")
    try:
        event = from_http(dict(headers), body)
        attributes = {str(key): str(value) for key, value in event.get_attributes().items()}
        return Event(attributes, event.get_data())
    except (
        GenericException, ValueError, TypeError, AttributeError, KeyError, RecursionError,
    ) as error:  # fmt: skip
        raise InvalidEvent(
            f"This is not a CloudEvent: {error}. Send the ce-* headers, or "
            "Content-Type: application/cloudevents+json."
        ) from error


def subject_of(event: Event) -> Ref | None:
    """Return the object the event is about, or None when it is of a kind we do not know.

    Raises InvalidEvent when the event names no object, or is neither one of the API server source's
    nor an agent's.
    """
    if not event.type.startswith(API_SERVER_EVENT) and event.type not in AGENT_EVENTS:
        raise InvalidEvent(
            f"Events of type {event.type!r} are not for this function: it takes "
            f"{API_SERVER_EVENT}* and {', '.join(AGENT_EVENTS)} (docs/concepts.md, Events)."
        )
    named = {key: event.attributes.get(key, "") for key in ("apiversion", "kind", "name")}
    if missing := [key for key, value in named.items() if not value]:
        raise InvalidEvent(f"The event names no object: it has no attribute {', '.join(missing)}.")
    kind = KINDS.get((named["apiversion"], named["kind"]))
    if kind is None:
        return None
    ref = Ref(kind, event.attributes.get("namespace", ""), named["name"])
    # Both become part of the path that is asked for.
    if not (NAMESPACE.fullmatch(ref.namespace) and NAME.fullmatch(ref.name)):
        raise InvalidEvent(f"No object can be called {ref.name!r} in namespace {ref.namespace!r}.")
    return ref


def reference_event(ref: Ref) -> tuple[dict[str, str], dict[str, str]]:
    """Return (attributes, data) as ApiServerSource sends them in Reference mode for an update."""
    path = f"/apis/{ref.kind.api_version}/namespaces/{ref.namespace}/{ref.kind.plural}/{ref.name}"
    attributes = {
        "type": f"{API_SERVER_EVENT}ref.update",
        "source": "zookeeper-functions/resync",
        "subject": path,
        "apiversion": ref.kind.api_version,
        "kind": ref.kind.name,
        "namespace": ref.namespace,
        "name": ref.name,
    }
    data = {
        "kind": ref.kind.name,
        "namespace": ref.namespace,
        "name": ref.name,
        "apiVersion": ref.kind.api_version,
    }
    return attributes, data


def role_event(pod: Ref, role: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return (attributes, data) as the agent of `pod` sends them when its server's role changed.

    It names the pod as an event of the API server would, so it takes the same ways. `role` is for
    people and their own Triggers: no function reads it.
    """
    attributes, data = reference_event(pod)
    changed = {"type": ROLE_EVENT, "source": "zookeeper-functions/agent", "role": role}
    return {**attributes, **changed}, data


def asked_event(pod: Ref) -> tuple[dict[str, str], dict[str, str]]:
    """Return (attributes, data) as the agent of `pod` sends them when somebody hurries a change.

    It says nothing of what was asked: the planner looks at the spec, as it does for any event.
    """
    attributes, data = reference_event(pod)
    return {**attributes, "type": ASKED_EVENT, "source": "zookeeper-functions/agent"}, data
