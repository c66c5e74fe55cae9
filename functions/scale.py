"""scale: the first creation of an ensemble and the number of its servers.

Slice: `StatefulSet.spec.replicas`, the volume claims of a new cluster, `status.bootstrap`,
`status.members` and the condition Scaled.
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.planning.bootstrap import Seen, plan_scale
from functions.planning.ensemble import ServerStats
from functions.runtime.apply import apply
from functions.runtime.function import cluster_function
from functions.runtime.reading import ask_servers, read_claims, read_pods, read_stateful_set
from functions.runtime.world import World


@cluster_function()
def scale(cluster: ZooKeeperCluster, world: World) -> None:
    if cluster.metadata.deletion_timestamp is not None:
        return
    apply(plan_scale(cluster, _look(cluster, world), world.now()), cluster, world)


def _look(cluster: ZooKeeperCluster, world: World) -> Seen:
    pods = read_pods(cluster, world)
    answers = ask_servers(cluster, pods, world).values() if _is_creating(cluster) else ()
    return Seen(
        stateful_set=read_stateful_set(cluster, world),
        claims=read_claims(cluster, world),
        pods=pods,
        modes=tuple(answer for answer in answers if isinstance(answer, ServerStats)),
    )


def _is_creating(cluster: ZooKeeperCluster) -> bool:
    bootstrap = cluster.status.bootstrap
    return bootstrap is not None and bootstrap.state == "open"
