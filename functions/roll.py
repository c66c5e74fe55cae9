"""roll: replaces the pods of an older revision, one at a time, the leader last.

Slice: which pod is replaced next, `status.operation` while it does, and the condition Updated.
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.planning.rolling import Seen, plan_refused_roll, plan_roll
from functions.runtime.apply import apply
from functions.runtime.function import cluster_function
from functions.runtime.reading import read_pods, read_servers, read_stateful_set
from functions.runtime.world import World


@cluster_function(refusal=plan_refused_roll)
def roll(cluster: ZooKeeperCluster, world: World) -> None:
    if cluster.metadata.deletion_timestamp is not None:
        return
    pods = read_pods(cluster, world)
    seen = Seen(read_stateful_set(cluster, world), pods, read_servers(cluster, pods, world))
    apply(plan_roll(cluster, seen, world.now()), cluster, world)
