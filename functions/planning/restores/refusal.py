"""What a user is told when the API server refuses what a restore asks for."""

from __future__ import annotations

from datetime import datetime

from functions.api.errors import FunctionError, InvalidSpec
from functions.api.resource import Unread
from functions.planning.status import timestamp
from functions.planning.steps import Announce, Plan


def plan_refused_restore(told: Unread, error: FunctionError, now: datetime) -> Plan:
    """Return the Warning; status stays as it is, since what was done so far is in it.

    What was refused is asked for again, so it is told once a day, not once a try.
    """
    reason = "InvalidSpec" if isinstance(error, InvalidSpec) else "Refused"
    del told
    return (Announce("Warning", reason, str(error), timestamp(now)[: len("2026-01-01")]),)
