"""observe: asks every server how it is and writes what it saw into status.

Slice: `status.servers`, `replicas`, `readyReplicas`, `leader`, `version` and the conditions
Available, QuorumHealthy and Spread. It changes nothing but status.
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.planning.observation import plan_observe
from functions.planning.spread import shared_node
from functions.runtime.apply import apply
from functions.runtime.function import cluster_function
from functions.runtime.reading import ask_servers, count_nodes, read_pods
from functions.runtime.world import World


@cluster_function()
def observe(cluster: ZooKeeperCluster, world: World) -> None:
    pods = read_pods(cluster, world)
    answers = ask_servers(cluster, pods, world)
    nodes = count_nodes(world) if shared_node(cluster, pods) else None
    apply(plan_observe(cluster, pods, answers, nodes, world.now()), cluster, world)
