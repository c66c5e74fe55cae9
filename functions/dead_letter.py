"""dead-letter: tells people of events that failed for good, by a Warning Event and a log line."""

from __future__ import annotations

import base64
import binascii
import logging

from functions.api.errors import InvalidEvent
from functions.api.kinds import CLUSTER, RESTORE
from functions.api.resource import Unread
from functions.manifests.owned import clusters_of
from functions.planning.steps import Announce
from functions.runtime.apply import apply
from functions.runtime.events import Event, subject_of
from functions.runtime.function import event_function
from functions.runtime.reading_backups import backups_of
from functions.runtime.world import World

log = logging.getLogger(__name__)


@event_function
def dead_letter(event: Event, world: World) -> None:
    told = _sentence(event)
    log.warning("dead letter", extra={"event": dict(event.attributes), "why": told})
    for concerned in _concerned(event, world):
        # The same failure is told once for a generation: forty Events would hide the rest.
        apply((Announce("Warning", "EventFailed", told),), concerned, world)


def _concerned(event: Event, world: World) -> list[Unread]:
    """Return the objects whose owners are told: a cluster's own, whoever else looks at it."""
    try:
        subject = subject_of(event)
    except InvalidEvent:
        return []  # It is about no object: the log line is all there is to tell.
    if subject is None or not world.settings.looks_at(subject.namespace):
        return []
    refs = [*clusters_of(subject)]
    refs += [] if subject.kind == CLUSTER else backups_of(subject, world)
    refs += [subject] if subject.kind == RESTORE else []
    found = [(ref, world.kube.get(ref)) for ref in refs]
    return [Unread.of(ref.kind, manifest) for ref, manifest in found if manifest is not None]


def _sentence(event: Event) -> str:
    """Return what failed where, from the extensions Knative adds to a dead letter (if it does)."""
    where = event.attributes.get("knativeerrordest", "a function")
    code = event.attributes.get("knativeerrorcode", "no answer in time or an answer it cannot use")
    data = _decoded(event.attributes.get("knativeerrordata", ""))
    about = f"{event.attributes.get('kind', 'event')} {event.attributes.get('name', '')}".strip()
    return (
        f"The event about {about} failed for good at {where} ({code}){': ' + data if data else ''}"
    )


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")[:500]
    except (binascii.Error, ValueError):
        return text[:500]
