"""One plain HTTP GET of a small JSON document, bounded in time and size.

What answers at an address need not be what was expected there, so the callers check every field.
The request is HTTP/1.0: the answer ends where the connection does, and is never in pieces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from functions.adapters.words import MAX_BYTES, exchange
from functions.api.errors import Unavailable

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


def get_json(path: str, host: str, port: int, *, timeout: float) -> Mapping[str, Any]:
    """Return the JSON object at `path`; raises Unavailable when there is none."""
    answer = get(path, host, port, timeout=timeout)
    return parse_json(path, answer, f"{host}:{port}")


def get(path: str, host: str, port: int, *, timeout: float) -> bytes:
    """Return the whole answer, its head included; raises Unavailable when there is none."""
    request = f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode()
    return exchange(f"GET {path}", request, host, port, timeout=timeout)


def parse_json(path: str, answer: bytes, where: str) -> Mapping[str, Any]:
    """Return the JSON object in an HTTP answer; raises Unavailable when it is none.

    The sentence never quotes what was answered: the address may be one that a user wrote.
    """
    asked = f"GET {path}"
    head, _, body = answer.partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if status is None:
        raise Unavailable(f"{where} did not answer `{asked}` by HTTP.")
    if status[1] != b"200":
        raise Unavailable(f"{where} answered `{asked}` with status {int(status[1])}.")
    if len(answer) > MAX_BYTES:
        raise Unavailable(f"{where} answered `{asked}` with more than {MAX_BYTES} bytes.")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unavailable(f"{where} answered `{asked}` with what is no JSON.") from error
    if not isinstance(told, dict):
        raise Unavailable(f"{where} answered `{asked}` with JSON that is no object.")
    return told
