"""What the API server's refusals mean: one HTTP answer in, one of our errors out. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from functions.api.errors import (
    AlreadyExists,
    Conflict,
    EvictionBlocked,
    FieldConflict,
    FunctionError,
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

_UNAUTHORIZED = 401
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
    if code == NOT_FOUND:
        return NotFound(sentence)
    if code == GONE:
        return Expired(sentence)
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
        return Unavailable(f"The API server does not allow this function to: {sentence}")
    if code >= 500 or code in _PASSING:
        return Unavailable(f"The API server cannot serve now ({code}): {sentence}")
    return Refused(sentence)


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
    try:
        status = json.loads(body)
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}


def _causes(status: dict[str, Any]) -> list[dict[str, Any]]:
    return (status.get("details") or {}).get("causes") or []


def _sentence(code: int, status: dict[str, Any], body: bytes) -> str:
    text = status.get("message") or body[:500].decode(errors="replace").strip()
    return text or f"no message, HTTP {code}"
