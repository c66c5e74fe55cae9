"""The baseline: a function that functions-framework serves and that does nothing."""

from __future__ import annotations

from typing import Any


def empty(_request: Any) -> tuple[str, int]:
    return "", 204
