"""How a function tells a user what it was refused: a spec that makes no sense, a change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import FunctionError
from functions.planning.steps import Plan

# (cluster with a default spec, what was raised, now) -> the plan that puts it into status.
Refusal = Callable[[ZooKeeperCluster, FunctionError, datetime], Plan]
