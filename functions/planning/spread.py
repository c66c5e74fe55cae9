"""Whether the servers would survive the loss of one node: the condition Spread.

Preferred anti-affinity is a wish: a scheduler that finds no room puts all servers on one node, and
that node is then the whole ensemble.
"""

from __future__ import annotations

from collections.abc import Sequence

from functions.api.cluster import ZooKeeperCluster
from functions.manifests.names import server_id
from functions.planning.membership import counted, voters
from functions.planning.seen import SeenPod
from functions.planning.status import Wanted, seen_condition

SPREAD = "Spread"


def shared_node(cluster: ZooKeeperCluster, pods: Sequence[SeenPod]) -> str:
    """Return the node that all voters run on, or an empty string: then nobody need count nodes."""
    nodes = {pod.node for pod in _voting(cluster, pods)}
    return next(iter(nodes)) if len(nodes) == 1 and len(voters(cluster)) > 1 else ""


def spread(
    cluster: ZooKeeperCluster, pods: Sequence[SeenPod], nodes: int | None
) -> tuple[Wanted, ...]:
    """Return the condition; `nodes` is how many take pods, None where that is not known.

    What was said stays as it is while a voter has no node yet. A single voter cannot be spread.
    """
    number = len(voters(cluster))
    if number < 2:
        return ()
    if len(_voting(cluster, pods)) < number:
        return _as_before(cluster)
    node = shared_node(cluster, pods)
    if not node:
        told = f"The {number} voters run on several nodes."
        return (Wanted(SPREAD, "True", "SeveralNodes", told),)
    if nodes is None:
        return _as_before(cluster)
    if nodes < 2:
        told = f"The {number} voters run on {node}, the only node there is."
        return (Wanted(SPREAD, "True", "OnlyNode", told),)
    told = (
        f"All {number} voters run on {node} although {counted(nodes, 'node')} take pods: losing "
        "that node is losing the ensemble. How to move a server: docs/operations/spread.md."
    )
    return (Wanted(SPREAD, "False", "OneNode", told),)


def _voting(cluster: ZooKeeperCluster, pods: Sequence[SeenPod]) -> list[SeenPod]:
    """Return the voters' pods that have a node and stay."""
    members = voters(cluster)
    return [
        p for p in pods if p.node and not p.is_deleting and server_id(cluster, p.name) in members
    ]


def _as_before(cluster: ZooKeeperCluster) -> tuple[Wanted, ...]:
    seen = seen_condition(cluster, SPREAD)
    return (Wanted(SPREAD, seen.status, seen.reason, seen.message),) if seen is not None else ()
