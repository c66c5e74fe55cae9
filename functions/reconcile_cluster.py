"""reconcile-cluster: the objects a cluster owns, and its deletion.

Slice: the owned objects except `StatefulSet.spec.replicas`, the finalizer, `status.service`,
`selector`, `endpoints`, `observedGeneration` and the condition Reconciled.
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.planning.deletion import Remains, plan_deletion
from functions.planning.reconciliation import plan_reconcile, plan_refused
from functions.planning.steps import Plan
from functions.runtime.apply import apply
from functions.runtime.function import cluster_function
from functions.runtime.reading import read_claims, read_owned, read_pods, read_stateful_set
from functions.runtime.reading_surroundings import read_surroundings
from functions.runtime.world import World


@cluster_function(refusal=plan_refused)
def reconcile_cluster(cluster: ZooKeeperCluster, world: World) -> None:
    is_deleting = cluster.metadata.deletion_timestamp is not None
    plan = _end(cluster, world) if is_deleting else _bring(cluster, world)
    apply(plan, cluster, world)


def _bring(cluster: ZooKeeperCluster, world: World) -> Plan:
    seen = read_owned(cluster, world)
    return plan_reconcile(cluster, seen, read_surroundings(cluster, seen, world), world.now())


def _end(cluster: ZooKeeperCluster, world: World) -> Plan:
    remains = Remains(
        stateful_set=read_stateful_set(cluster, world),
        pods=read_pods(cluster, world),
        claims=read_claims(cluster, world),
    )
    return plan_deletion(cluster, remains, world.now())
