"""backup: copies of an ensemble's data in an object store, once or by a schedule, and how long.

Slice: the Jobs and the CronJob of a ZooKeeperBackup, and its whole status. It changes nothing of a
cluster, and reaches no store and no Secret: the Jobs' own programs do.
"""

from __future__ import annotations

from functions.api.backup import ZooKeeperBackup
from functions.api.kinds import BACKUP
from functions.planning.backups.planner import plan_backup
from functions.planning.backups.refusal import plan_refused
from functions.runtime.apply import apply
from functions.runtime.function import object_function
from functions.runtime.reading_backups import backups_of, look
from functions.runtime.world import World


@object_function(ZooKeeperBackup.parse, BACKUP, backups_of, plan_refused)
def backup(wanted: ZooKeeperBackup, world: World) -> None:
    if wanted.metadata.deletion_timestamp is not None:
        return
    apply(plan_backup(wanted, look(wanted, world), world.now()), wanted, world)
