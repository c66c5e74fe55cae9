"""The one exception tree: what can go wrong, and what the sender of the event is told.

The runtime turns each into an HTTP answer (`reference` in docs/concepts.md, "Answers"): adapters
translate every library's exceptions into these, with the original chained.
"""

from __future__ import annotations


class FunctionError(Exception):
    """Anything a function can fail with on purpose."""


class InvalidEvent(FunctionError):
    """The request is no event for this function: 400, no retry, dead letter."""


class Conflict(FunctionError):
    """Somebody changed the object since it was read, or a precondition failed: read again."""


class FieldConflict(Conflict):
    """Server-side apply met fields that other managers own; `managers` names them."""

    def __init__(self, message: str, managers: frozenset[str]) -> None:
        super().__init__(message)
        self.managers = managers


class AlreadyExists(Conflict):
    """An object of that name is already there."""


class Unavailable(FunctionError):
    """Something could not be reached in time, or answered that it cannot serve: 503, retried."""


class MissingRight(Unavailable):
    """Whoever asks lacks a right. Right after its start the API server denies what it will allow
    once it has read the roles, so it is worth another try."""


class EvictionBlocked(Unavailable):
    """A disruption budget does not allow the eviction now: nothing happened, look again later."""


class Refused(FunctionError):
    """The API server refused the request for good (invalid object, forbidden)."""


class Denied(Refused):
    """A policy, a webhook or a quota of this Kubernetes cluster does not allow the change."""


class NotServed(Refused):
    """The API server has no such kind, or no such namespace: there is no place for the object."""


class ReconfigRefused(Refused):
    """The servers refused a change of their member list: nothing changed, and asking again alone
    changes nothing either."""


class InvalidSpec(FunctionError):
    """The object's spec cannot be followed; the sentence goes into a condition, not to a retry."""
