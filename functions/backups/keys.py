"""The keys of backups in a store: folders in folders, none of which leads elsewhere."""

from __future__ import annotations

from typing import ClassVar

from functions.adapters.stores.port import MAX_KEY_BYTES
from functions.api.errors import FunctionError

# A name below the key must still fit, such as `snapshot.<16 digits>.snappy`.
_LONGEST_NAME = 64
_NO_SEGMENTS = frozenset({"", ".", ".."})


class InvalidKey(FunctionError):
    """A key that cannot be the folder of a backup."""

    is_final: ClassVar[bool] = True


def backup_key(text: str) -> str:
    """Return a key without slashes at its ends; raises InvalidKey if it tries to be a path."""
    key = text.strip("/")
    if any(segment in _NO_SEGMENTS for segment in key.split("/")):
        raise InvalidKey(f"{text!r} is no key of a backup: a part of it is empty, `.` or `..`.")
    if not key.isprintable() or "\\" in key:
        raise InvalidKey(f"{text!r} is no key of a backup: it holds signs that no name has.")
    if len(key.encode()) + _LONGEST_NAME > MAX_KEY_BYTES:
        raise InvalidKey(f"{text[:80]!r}... is no key of a backup: it is too long.")
    return key


def key_below(text: str, above: str) -> str:
    """Return the key of a backup that lies directly below `above`; raises InvalidKey."""
    key, parent = backup_key(text), backup_key(above)
    if key.rpartition("/")[0] != parent:
        raise InvalidKey(f"{key} is refused: it does not lie directly below {parent}.")
    return key
