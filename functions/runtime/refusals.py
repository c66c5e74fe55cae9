"""How a function tells a user what it was refused: a spec that makes no sense, a change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import FunctionError
from functions.api.resource import Unread
from functions.planning.steps import Plan

R = TypeVar("R", ZooKeeperCluster, Unread)

# (the object without its spec, what was raised, now) -> the plan that puts it into status.
Refusal = Callable[[R, FunctionError, datetime], Plan]
