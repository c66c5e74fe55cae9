"""What the planner of backups looks at: values read by `functions/runtime/reading_backups.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.api.restore import ZooKeeperRestore
from functions.manifests.installation import Installation
from functions.planning.ensemble import DiskReport
from functions.planning.jobs import SeenJob
from functions.planning.progress import Progress

MANAGER = "backup"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is there beside the backup itself.

    `clusters` and `restores` are those of its namespace, `jobs` all with its labels, `cron_job`
    whatever has its name. `disks` (by server id) and `placed` (pods that are on a node) are looked
    at only while nobody serves, `leader` is asked for only where the spec names a host and a run is
    to come: an id, or the sentence why it is not known. `zone` is that of the schedule.
    """

    installation: Installation
    clusters: tuple[ZooKeeperCluster, ...] = ()
    restores: tuple[ZooKeeperRestore, ...] = ()
    jobs: tuple[SeenJob, ...] = ()
    cron_job: Manifest | None = None
    disks: Mapping[int, DiskReport] = field(default_factory=dict)
    placed: frozenset[str] = frozenset()
    leader: int | str | None = None
    progress: Progress | None = None
    zone: tzinfo = UTC
