"""Fixtures of the unit tests."""

from __future__ import annotations

from tests.unit.serving import serve

__all__ = ["serve"]
