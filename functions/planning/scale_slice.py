"""What `scale` looks at and what it reports: shared by everything that decides for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import STATEFUL_SET
from functions.api.manifest import Manifest
from functions.api.status import Bootstrap
from functions.manifests.names import pod_name, stateful_set_name
from functions.planning.ensemble import DiskReport, EnsembleConfig, SeenServers
from functions.planning.protection import SeenBudget
from functions.planning.seen import SeenClaim, SeenPod, SeenStatefulSet
from functions.planning.status import Slice, Wanted, write_status
from functions.planning.steps import ApplyObject, Plan

MANAGER = "scale"
SCALED = "Scaled"
# What the condition says of steps that `scale` takes itself, or that are all taken but for small
# ones. Any other reason is worse news than that a step is not allowed.
PROGRESS = frozenset(
    {"AsWanted", "Creating", "Recovering", "Restoring", "Scaling", "Stopped", "Stopping"}
)
NOBODY = SeenServers({}, {}, None)


@dataclass(frozen=True, slots=True)
class Seen:
    """What `scale` looks at. `disks`, by id: of all, or of those that do not answer.

    `closed` are the servers that a restore keeps from clients, and `is_orphaned` says that a
    restore holds the servers and is gone.
    """

    stateful_set: SeenStatefulSet | None
    claims: tuple[SeenClaim, ...]
    pods: tuple[SeenPod, ...]
    servers: SeenServers
    budget: SeenBudget | None
    disks: Mapping[int, DiskReport] = field(default_factory=dict)
    closed: SeenServers = NOBODY
    is_orphaned: bool = False


def report(
    cluster: ZooKeeperCluster,
    record: Bootstrap | None,
    scaled: Wanted,
    now: datetime,
    config: EnsembleConfig | None = None,
    loss: Manifest | None = None,
) -> Plan:
    """Return the slice of `scale`: the record, the member list and the condition.

    `loss` is what changes of the incident and the recovery in status; the rest of it is kept.
    """
    known = [member.manifest() for member in cluster.status.members]
    if config is not None:
        known = member_entries(cluster, config)
    recovery = cluster.status.recovery
    part = Slice(
        manager=MANAGER,
        fields={
            "bootstrap": record and record.manifest(),
            "members": known or _first_members(record),
            "incident": cluster.status.incident,
            "recovery": recovery and recovery.manifest(),
            **(loss or {}),
        },
        conditions=(scaled,),
        owned_types=frozenset({SCALED}),
    )
    return write_status(cluster, part, now)


def _first_members(record: Bootstrap | None) -> list[Manifest]:
    """Return the members of the first creation, which are the ensemble's once it is over."""
    if record is None or record.state == "open":
        return []
    return [{"id": m.id, "name": m.name, "role": "participant"} for m in record.members]


def member_entries(cluster: ZooKeeperCluster, config: EnsembleConfig) -> list[Manifest]:
    """Return `status.members` for a committed list."""
    return [
        {
            "id": member.id,
            "name": pod_name(cluster, member.id - 1),
            "role": member.role,
            "configVersion": config.version,
        }
        for member in config.members
    ]


def is_ours(cluster: ZooKeeperCluster, found: SeenStatefulSet) -> bool:
    is_controlled = found.controller_uid == cluster.metadata.uid
    return is_controlled and found.is_built and not found.is_deleting


def run_servers(cluster: ZooKeeperCluster, found: SeenStatefulSet, replicas: int) -> ApplyObject:
    """Return the apply of the number of pods alone."""
    manifest: Manifest = {
        "apiVersion": STATEFUL_SET.api_version,
        "kind": STATEFUL_SET.name,
        "metadata": {
            "name": stateful_set_name(cluster),
            "namespace": cluster.metadata.namespace,
            "uid": found.uid,
            "resourceVersion": found.resource_version,
        },
        "spec": {"replicas": replicas},
    }
    return ApplyObject(manifest, MANAGER)
