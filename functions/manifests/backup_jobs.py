"""The Jobs and the CronJob of a ZooKeeperBackup: they copy one server's data, or remove backups."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from functions.api.backup import ZooKeeperBackup, duration
from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import CRON_JOB, Kind
from functions.api.manifest import Manifest
from functions.manifests.digests import SUPER_USER
from functions.manifests.fingerprint import fingerprint
from functions.manifests.installation import Installation
from functions.manifests.job_names import GENERATION, job_name, labels, owned_metadata, watched
from functions.manifests.names import (
    APPLIED_HASH,
    LOG_MOUNT,
    identity,
    pod_domain,
    pod_name,
    super_user_secret_name,
)
from functions.manifests.store_environment import secret_variable, variable
from functions.manifests.store_job import StoreProgram, Volumes, store_job, store_job_spec

COPY_OUT = "copy_out"
PRUNE = "prune"
SERVER = "zookeeper.example.com/server"
KEYS = "zookeeper.example.com/keys"
DATA_FOLDER = "version-2"
# A result is read from the pod of its Job, so Jobs stay long enough for functions that are away.
KEPT_JOBS = 10
# A run that could not start in its minute (no node, a restore) starts late rather than not at all.
STARTING_DEADLINE_SECONDS = 3600
PRUNE_TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class CopyFrom:
    """The server to copy from. `is_serving`: it answers, so the end of the data can be asked for;
    then its pod runs, too. `is_beside`: its pod is on a node, whether it serves or not."""

    cluster: ZooKeeperCluster
    ordinal: int
    method: str
    is_serving: bool
    is_beside: bool


def object_key(backup: ZooKeeperBackup) -> str:
    """Return where the backups of one ZooKeeperBackup lie, as the seed system has it."""
    mode = "schedule" if backup.spec.is_scheduled else "once"
    return f"{backup.metadata.namespace}/{backup.metadata.name}/{mode}"


def once_job_name(backup: ZooKeeperBackup, *more: str) -> str:
    return job_name("backup", backup.metadata.name, *more)


cron_job_name = once_job_name


def prune_job_name(backup: ZooKeeperBackup, keys: Sequence[str]) -> str:
    return job_name("prune", backup.metadata.name, *keys)


def once_job(
    backup: ZooKeeperBackup, name: str, source: CopyFrom, installation: Installation
) -> Manifest:
    """Return the Job that makes one backup."""
    program = copy_program(backup, source)
    return _annotated(store_job(backup, name, program, installation), _marks(backup, source))


def cron_job(
    backup: ZooKeeperBackup, source: CopyFrom, installation: Installation, *, suspend: bool
) -> Manifest:
    """Return the CronJob that makes one whenever the schedule says so."""
    program = copy_program(backup, source)
    spec = backup.spec
    manifest: Manifest = {
        **identity(CRON_JOB),
        "metadata": owned_metadata(backup, cron_job_name(backup), COPY_OUT),
        "spec": {
            "schedule": spec.schedule,
            **({"timeZone": spec.time_zone} if spec.time_zone is not None else {}),
            "suspend": suspend,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": STARTING_DEADLINE_SECONDS,
            "successfulJobsHistoryLimit": KEPT_JOBS,
            "failedJobsHistoryLimit": KEPT_JOBS,
            "jobTemplate": {
                "metadata": {
                    "labels": watched(labels(backup, COPY_OUT)),
                    "annotations": _marks(backup, source),
                },
                "spec": store_job_spec(backup, program, installation),
            },
        },
    }
    return with_fingerprint(manifest)


def with_fingerprint(manifest: Manifest) -> Manifest:
    """Return the object with a note of what was wanted: so a wish that was dropped is noticed."""
    return _annotated(manifest, {APPLIED_HASH: fingerprint(manifest)})


def prune_job(
    backup: ZooKeeperBackup,
    keys: Sequence[str],
    installation: Installation,
    cluster: ZooKeeperCluster | None,
) -> Manifest:
    """Return the Job that removes these backups; its name says which."""
    listed = "\n".join(keys)
    program = StoreProgram(
        name=PRUNE,
        image=backup.spec.image,
        env=(variable("OBJECT_KEY", object_key(backup)), variable("KEYS", listed)),
        timeout=PRUNE_TIMEOUT,
        location=backup.spec.target,
        cluster=cluster,
    )
    made = store_job(backup, prune_job_name(backup, keys), program, installation)
    return _annotated(made, {KEYS: listed})


def copy_program(backup: ZooKeeperBackup, source: CopyFrom) -> StoreProgram:
    """Return the copying program with all it is told of the server."""
    cluster = source.cluster
    has_volumes = not cluster.spec.storage.ephemeral
    return StoreProgram(
        name=COPY_OUT,
        image=backup.spec.image,
        env=(*_about(backup, source), *_folders(cluster), *_admin_server(source)),
        timeout=duration(backup.spec.timeout),
        location=backup.spec.target,
        cluster=cluster,
        volumes=Volumes(cluster, source.ordinal, is_read_only=True, is_beside=source.is_beside)
        if has_volumes
        else None,
    )


def _about(backup: ZooKeeperBackup, source: CopyFrom) -> list[Manifest]:
    cluster, status = source.cluster, source.cluster.status
    members = [
        {"id": member.id, "name": member.name, "role": member.role} for member in status.members
    ]
    host = pod_domain(cluster, source.ordinal) if source.is_serving else ""
    return [
        variable("OBJECT_KEY", object_key(backup)),
        variable("CLUSTER", cluster.metadata.name),
        variable("SERVER", pod_name(cluster, source.ordinal)),
        variable("SERVER_ID", str(source.ordinal + 1)),
        variable("SERVER_HOST", host),
        variable("CLIENT_PORT", str(cluster.spec.config.client_port)),
        variable("ZK_VERSION", status.version or ""),
        variable("MEMBERS", json.dumps(members, separators=(",", ":"))),
        variable("VERIFY", str(backup.spec.verify).lower()),
        variable("METHOD", source.method),
    ]


def _folders(cluster: ZooKeeperCluster) -> list[Manifest]:
    storage, data = cluster.spec.storage, cluster.spec.config.data_dir
    if storage.ephemeral:
        return [variable("SNAPSHOT_DIR", ""), variable("LOG_DIR", "")]
    logs = data if storage.log is None else LOG_MOUNT
    return [
        variable("SNAPSHOT_DIR", f"{data}/{DATA_FOLDER}"),
        variable("LOG_DIR", f"{logs}/{DATA_FOLDER}"),
    ]


def _admin_server(source: CopyFrom) -> list[Manifest]:
    """Return where the server's snapshot is asked for, as the super user."""
    if source.method != "snapshot":
        return []
    cluster = source.cluster
    return [
        variable("ADMIN_HOST", pod_domain(cluster, source.ordinal)),
        variable("ADMIN_PORT", str(cluster.spec.admin_server.port)),
        secret_variable("SUPER_USER_PASSWORD", super_user_secret_name(cluster), "password"),
        # The whole Authorization header; the kubelet puts the password in.
        {"name": "ADMIN_AUTH", "value": f"digest {SUPER_USER}:$(SUPER_USER_PASSWORD)"},
    ]


def _marks(backup: ZooKeeperBackup, source: CopyFrom) -> dict[str, str]:
    """Return what is read from a Job later: which spec it follows, and whom it copies from."""
    return {
        GENERATION: str(backup.metadata.generation),
        SERVER: pod_name(source.cluster, source.ordinal),
    }


def _annotated(manifest: Manifest, more: dict[str, str]) -> Manifest:
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), **more}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def may_be_of(backup_name: str, kind: Kind, name: str) -> bool:
    """Whether an object of that kind and name may be one of a backup's, by its name alone.

    One of several that look alike is enough: whoever is woken for nothing writes nothing.
    """
    stem = name.rpartition("-")[0]
    plain = job_name("backup", backup_name)
    if kind == CRON_JOB or name == plain:
        return name == plain
    told_apart = {job_name(verb, backup_name, "").rpartition("-")[0] for verb in ("backup", PRUNE)}
    return stem in {plain, *told_apart}
