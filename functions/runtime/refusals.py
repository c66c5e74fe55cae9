"""How a function tells a user that the spec cannot be followed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.planning.steps import Plan

# (cluster with a default spec, the sentence, now) -> the plan that puts the sentence into status.
Refusal = Callable[[ZooKeeperCluster, str, datetime], Plan]
