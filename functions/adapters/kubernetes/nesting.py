"""Reading JSON that is nested deeper than Python follows it.

The API server keeps fields that it passes on as they are, to a depth of 10 000. Python's reader
ends at 1000, and with it the list of all objects, those of other namespaces included. So what is
too deep is left out; whoever reads such an object refuses it by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# Deeper than what is refused when an object is read: `functions.api.resource.MOST_DEPTH`.
MOST_DEPTH = 128

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]')


def loads(data: bytes) -> Any:
    """Return what the JSON says, without what is nested too deep; raises ValueError."""
    try:
        return json.loads(data)
    except RecursionError:
        return json.loads(b"".join(_shallow(data)))


def _shallow(data: bytes) -> Iterator[bytes]:
    depth = begin = 0
    for token in _TOKEN.finditer(data):
        match token[0]:
            case b"{" | b"[":
                depth += 1
                if depth == MOST_DEPTH + 1:
                    yield data[begin : token.start()]
                    yield b"null"
            case b"}" | b"]":
                if depth == MOST_DEPTH + 1:
                    begin = token.end()
                depth -= 1
            case _:
                continue  # A text, whatever brackets are in it.
    yield data[begin:] if depth <= MOST_DEPTH else b""
