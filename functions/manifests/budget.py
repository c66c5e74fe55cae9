"""The PodDisruptionBudget: evictions never cost the ensemble more than one server at a time.

It counts Ready pods, and joiners and observers are Ready too: with `minAvailable: 2` and four Ready
pods two voters of three were evicted (tried). So it follows the pods, not the voters (DESIGN 11.8).
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import POD_DISRUPTION_BUDGET
from functions.api.manifest import Manifest
from functions.manifests.names import budget_name, identity, owned_metadata, selector

SAFE_VOTERS = 3


def disruption_budget(cluster: ZooKeeperCluster, voters: int, pods: int) -> Manifest:
    """Return the budget for an ensemble of `voters` of which `pods` may be Ready.

    Below three voters any eviction costs the quorum, so none is allowed.
    """
    allowed = 1 if voters >= SAFE_VOTERS else 0
    return {
        **identity(POD_DISRUPTION_BUDGET),
        "metadata": owned_metadata(cluster, budget_name(cluster)),
        "spec": {
            "minAvailable": max(pods - allowed, 0),
            "selector": {"matchLabels": selector(cluster)},
            # A pod that does not run costs nothing more when it is evicted.
            "unhealthyPodEvictionPolicy": "IfHealthyBudget",
        },
    }
