"""observe: asks every server how it is and writes what it saw into status.

Slice: `status.servers`, `replicas`, `readyReplicas`, `leader`, `version` and the conditions
Available and QuorumHealthy. It changes nothing but status.
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.planning.observation import plan_observe
from functions.runtime.apply import apply
from functions.runtime.function import cluster_function
from functions.runtime.reading import ask_servers, read_pods
from functions.runtime.world import World


@cluster_function()
def observe(cluster: ZooKeeperCluster, world: World) -> None:
    pods = read_pods(cluster, world)
    answers = ask_servers(cluster, pods, world)
    apply(plan_observe(cluster, pods, answers, world.now()), cluster, world)
