"""restore: one backup put into one ensemble, in steps that each may be repeated.

Slice: the restore's Jobs, its status and finalizer, the steps of `status.operation` that belong to
it, and `status.restored` of its target. The servers are stopped and started by `scale`.
"""

from __future__ import annotations

from datetime import timedelta

from functions.api.kinds import RESTORE
from functions.api.restore import ZooKeeperRestore
from functions.planning.restores.decision import Limits
from functions.planning.restores.machine import Surroundings, plan_restore
from functions.planning.restores.refusal import plan_refused_restore
from functions.runtime.apply import apply
from functions.runtime.function import object_function
from functions.runtime.reading_restore import look_around, read_restores
from functions.runtime.settings import Settings
from functions.runtime.world import World


@object_function(ZooKeeperRestore.parse, RESTORE, read_restores, plan_refused_restore)
def restore(wanted: ZooKeeperRestore, world: World) -> None:
    seen = look_around(wanted, world)
    apply(plan_restore(wanted, seen, _surroundings(world.settings), world.now()), wanted, world)


def _surroundings(settings: Settings) -> Surroundings:
    limits = Limits(
        servers=timedelta(seconds=settings.restore_seconds),
        last_servers=timedelta(seconds=settings.restore_last_seconds),
        clean_up=timedelta(seconds=settings.restore_clean_seconds),
    )
    return Surroundings(settings.installation, limits)
