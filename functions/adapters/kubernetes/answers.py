"""What the API server's refusals mean: one HTTP answer in, one of our errors out. Pure.

Only what the API server says itself, by a Status, is final. What stands in between (a load
balancer, a proxy) answers with pages of its own, also that there is nothing here (404): to believe
it would be to take a cluster for deleted.
"""

from __future__ import annotations

import json
import re
from typing import Any

from functions.api.errors import (
    AlreadyExists,
    Conflict,
    Denied,
    EvictionBlocked,
    FieldConflict,
    FunctionError,
    MissingRight,
    Refused,
    Unavailable,
)

NOT_FOUND = 404
GONE = 410

# One cause per field and manager: `conflict with "kubectl" using apps/v1`.
_MANAGER = re.compile(r'conflict with "((?:[^"\\]|\\.)*)"')

# An apply of a field that the schema has not is answered with 500, but will never succeed.
_UNKNOWN_FIELD = "field not declared in schema"

# The authorizer's denial, unlike those of admission, names the user. Right after its start the API
# server denies what it will allow once it has read the roles (tried), so it is worth another try.
_DENIED = re.compile(r'is forbidden: User ".*" cannot ')

# What a policy or a webhook of the cluster says no to. Its author chooses the status, 401 and 500
# included, so the sentence decides, which is the API server's own.
_ADMISSION = re.compile(
    r"ValidatingAdmissionPolicy '.*' with binding '.*' denied request"
    r'|admission webhook ".*" denied the request',
    re.DOTALL,
)

# The API server's answer to a path that it does not serve, which is no Status.
_NO_PATH = b"404 page not found"

_UNAUTHORIZED = 401
_FORBIDDEN = 403
_CONFLICT = 409
_PASSING = frozenset({408, 429})


class NotFound(Refused):
    """The API server has no such object or path (404); each call decides what that means."""


class Expired(Unavailable):
    """The place a paged list had reached is too old (410): list again."""


def error_of(code: int, body: bytes) -> FunctionError:
    """Return the error that an answer of `code` stands for."""
    status = _status(body)
    sentence = _sentence(code, status, body)
    if code == NOT_FOUND and (status or body.startswith(_NO_PATH)):
        return NotFound(sentence)
    if code == GONE:
        return Expired(sentence)
    if not status:
        return Unavailable(f"The answer ({code}) is none of an API server: {sentence}")
    if _ADMISSION.search(sentence):
        return Denied(sentence)
    if code == _CONFLICT:
        return _conflict(status, sentence)
    if code == _UNAUTHORIZED:
        # A bound token is renewed in its file about once an hour, so this passes by itself.
        return Unavailable(f"The API server does not accept the token: {sentence}")
    return _refusal(code, status, sentence)


def _refusal(code: int, status: dict[str, Any], sentence: str) -> FunctionError:
    causes = _causes(status)
    if any(cause.get("reason") == "DisruptionBudget" for cause in causes):
        return EvictionBlocked(sentence)
    if any(cause.get("field") == "metadata.uid" for cause in causes):
        # An apply that names a uid meets another object of that name: "field is immutable".
        return Conflict(sentence)
    if _UNKNOWN_FIELD in sentence:
        return Refused(sentence)
    if _DENIED.search(sentence):
        return MissingRight(f"The API server does not allow this function to: {sentence}")
    if code >= 500 or code in _PASSING:
        return Unavailable(f"The API server cannot serve now ({code}): {sentence}")
    # Other than the authorizer only admission forbids: a quota, a security standard, a policy.
    return Denied(sentence) if code == _FORBIDDEN else Refused(sentence)


def _conflict(status: dict[str, Any], sentence: str) -> Conflict:
    if status.get("reason") == "AlreadyExists":
        return AlreadyExists(sentence)
    managers = frozenset(
        json.loads(f'"{found}"')
        for cause in _causes(status)
        if cause.get("reason") == "FieldManagerConflict"
        for found in _MANAGER.findall(cause.get("message", ""))
    )
    return FieldConflict(sentence, managers) if managers else Conflict(sentence)


def _status(body: bytes) -> dict[str, Any]:
    """Return the Status in a body; nothing when it holds none."""
    try:
        status = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}


def _causes(status: dict[str, Any]) -> list[dict[str, Any]]:
    return (status.get("details") or {}).get("causes") or []


def _sentence(code: int, status: dict[str, Any], body: bytes) -> str:
    text = status.get("message") or body[:500].decode(errors="replace").strip()
    return text or f"no message, HTTP {code}"
