"""Which backups need a look although no event said so: read with one list request at most."""

from __future__ import annotations

from functions.api.backup import ZooKeeperBackup
from functions.api.errors import InvalidSpec
from functions.api.kinds import CRON_JOB, Ref
from functions.api.manifest import Manifest, ref_of
from functions.manifests.backup_jobs import cron_job_name
from functions.manifests.names import MANAGED
from functions.planning.backups.settled import unsettled_backup
from functions.runtime.reading_backups import zone_of
from functions.runtime.world import World


def backups_to_look_at(found: list[Manifest], world: World, is_all: bool) -> list[tuple[Ref, str]]:
    """Return those of the backups that are not settled, or all, each with the reason."""
    if is_all:
        return [(ref_of(manifest), "all") for manifest in found]
    cron_jobs = _cron_jobs(found, world)
    why = [(ref_of(manifest), _why(manifest, cron_jobs, world)) for manifest in found]
    return [(ref, reason) for ref, reason in why if reason]


def _cron_jobs(backups: list[Manifest], world: World) -> dict[Ref, Manifest]:
    """Return the CronJobs, which are looked at only where a backup has a schedule."""
    if not any(manifest["spec"].get("schedule") for manifest in backups):
        return {}
    jobs = world.kube.list(CRON_JOB, world.settings.listed, MANAGED)
    return {ref_of(manifest): manifest for manifest in jobs}


def _why(manifest: Manifest, cron_jobs: dict[Ref, Manifest], world: World) -> str:
    try:
        backup = ZooKeeperBackup.parse(manifest)
    except InvalidSpec:
        return ""  # Its condition says so; only an edit, which makes an event, changes that.
    ref = Ref(CRON_JOB, backup.metadata.namespace, cron_job_name(backup))
    return unsettled_backup(backup, cron_jobs.get(ref), world.now(), zone_of(backup))
