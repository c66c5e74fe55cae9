"""The user that alone may change the ensemble's member list."""

from __future__ import annotations

from functions.api.rules import Spec
from functions.api.values import Time


class SuperUser(Spec):
    """ZooKeeper's super user. The functions are it; its password is in a Secret."""

    rotated_at: Time | None = None
    """A time; each new value gives it a new password and restarts the servers one by one, for
    example 2026-01-31T12:00:00Z."""
