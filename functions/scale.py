"""scale: the first creation of an ensemble, its member list and the number of its servers.

Slice: the ensemble's member list, `StatefulSet.spec.replicas`, the volume claims of a new cluster,
the disruption budget, `status.bootstrap`, `status.members`, `status.operation` and the condition
Scaled.
"""

from __future__ import annotations

from typing import Any

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import RESTORE
from functions.api.quarantine import quarantine_port
from functions.planning.refusal import plan_refused_change
from functions.planning.restores import hold
from functions.planning.restoring import RestoreStep
from functions.planning.scale_slice import NOBODY, Seen
from functions.planning.seen import SeenPod
from functions.planning.sizing import plan_scale
from functions.runtime.apply import apply
from functions.runtime.function import cluster_function
from functions.runtime.reading import (
    read_budget,
    read_claims,
    read_disks,
    read_pods,
    read_servers,
    read_stateful_set,
)
from functions.runtime.world import World


@cluster_function(refusal=plan_refused_change)
def scale(cluster: ZooKeeperCluster, world: World) -> None:
    if cluster.metadata.deletion_timestamp is not None:
        return
    apply(plan_scale(cluster, _look(cluster, world), world.now()), cluster, world)


def _look(cluster: ZooKeeperCluster, world: World) -> Seen:
    pods = read_pods(cluster, world)
    servers = read_servers(cluster, pods, world)
    record = cluster.status.bootstrap
    is_created = record is not None and record.state != "open"
    return Seen(
        stateful_set=read_stateful_set(cluster, world),
        claims=read_claims(cluster, world),
        pods=pods,
        servers=servers,
        budget=read_budget(cluster, world),
        disks=read_disks(cluster, pods, servers, world) if is_created else {},
        **_of_restore(cluster, pods, world),
    )


def _of_restore(
    cluster: ZooKeeperCluster, pods: tuple[SeenPod, ...], world: World
) -> dict[str, Any]:
    """Return what there is to see only while a restore holds the servers."""
    step, held = hold.step_of(cluster), cluster.status.operation
    if step is None or held is None:
        return {}
    restores = world.kube.list(RESTORE, cluster.metadata.namespace)
    is_open = step is RestoreStep.OPEN
    return {
        "closed": read_servers(cluster, pods, world, quarantine_port(cluster.spec))
        if is_open
        else NOBODY,
        "is_orphaned": held.owner_uid not in {found["metadata"]["uid"] for found in restores},
    }
