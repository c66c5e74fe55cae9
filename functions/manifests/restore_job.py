"""The Jobs of a restore: each works on the volumes of one server, beside it while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.api.restore import ZooKeeperRestore
from functions.manifests.installation import Installation
from functions.manifests.job_names import job_name
from functions.manifests.names import LOG_MOUNT, pod_name
from functions.manifests.store_environment import variable
from functions.manifests.store_job import StoreProgram, Volumes, store_job


class Program(StrEnum):
    """The programs of `functions.pods` that a restore runs."""

    STAGE = "stage"
    ARM = "arm"
    CLEAN = "clean"


# A large backup takes its time. The others rename and remove; they wait for nobody.
TIMEOUTS = {
    Program.STAGE: timedelta(hours=12),
    Program.ARM: timedelta(minutes=10),
    Program.CLEAN: timedelta(minutes=10),
}


@dataclass(frozen=True, slots=True)
class Place:
    """One server's volumes: `claims` are their uids, `is_beside` whether the server's pod runs."""

    cluster: ZooKeeperCluster
    number: int
    claims: tuple[str, ...]
    is_beside: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What a program is told of the restore: the highest epoch that the ensemble's servers know of,
    and what became of their own data."""

    epoch: int = 0
    is_restored: bool = False


def restore_job_name(restore: ZooKeeperRestore, program: Program, place: Place) -> str:
    """Return a name of this restore, this program and these very volumes: others are not done."""
    metadata = restore.metadata
    pod = pod_name(place.cluster, place.number - 1)
    return job_name(program, metadata.name, metadata.uid, pod, *place.claims)


def restore_job(
    restore: ZooKeeperRestore,
    program: Program,
    place: Place,
    known: Known,
    installation: Installation,
) -> Manifest:
    """Return the Job."""
    cluster = place.cluster
    env = [
        variable("RESTORE_UID", restore.metadata.uid),
        variable("DATA_DIR", cluster.spec.config.data_dir),
        variable("DATA_LOG_DIR", _log_dir(cluster)),
    ]
    if program is Program.STAGE:
        env += [variable("KEY", restore.spec.source.key), variable("EPOCH", str(known.epoch))]
    if program is Program.CLEAN:
        env.append(variable("OUTCOME", "restored" if known.is_restored else "kept"))
    described = StoreProgram(
        name=program,
        image=restore.spec.image,
        env=tuple(env),
        timeout=TIMEOUTS[program],
        location=restore.spec.source if program is Program.STAGE else None,
        cluster=cluster,
        volumes=Volumes(cluster, place.number - 1, is_read_only=False, is_beside=place.is_beside),
    )
    return store_job(restore, restore_job_name(restore, program, place), described, installation)


def _log_dir(cluster: ZooKeeperCluster) -> str:
    return cluster.spec.config.data_dir if cluster.spec.storage.log is None else LOG_MOUNT
