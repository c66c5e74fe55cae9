"""A short, stable name for the content of a value."""

from __future__ import annotations

import hashlib
import json


def fingerprint(value: object) -> str:
    """Return 16 hexadecimal digits that change when `value` (JSON) changes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
