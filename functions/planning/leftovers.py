"""The volumes of servers that left, where `storage.onScaleDown` is Delete.

Invariant (DESIGN 11.1): a claim goes only while a quorum serves and its committed list can be
looked at, and only if nobody could need it: its server is neither a member nor wanted, on record or
in the list, and no pod of it is there or asked for. It is deleted by its uid.
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.manifests.names import ordinal_of_claim, server_id
from functions.planning.scale_slice import Seen
from functions.planning.scaling import RemoveVolumes, SeenEnsemble, wanted_roles


def volumes_to_remove(
    cluster: ZooKeeperCluster, seen: Seen, ensemble: SeenEnsemble
) -> RemoveVolumes | None:
    """Return the claims that nobody needs any more; None when there is none, or it is not known."""
    if cluster.spec.storage.on_scale_down != "Delete" or not ensemble.roles or not ensemble.leader:
        return None
    needed = _needed(cluster, seen, ensemble)
    left = [
        (claim.name, claim.uid)
        for claim in seen.claims
        if not claim.is_deleting
        and (ordinal := ordinal_of_claim(cluster, claim.name)) is not None
        and ordinal + 1 not in needed
    ]
    return RemoveVolumes(tuple(sorted(left))) if left else None


def _needed(cluster: ZooKeeperCluster, seen: Seen, ensemble: SeenEnsemble) -> set[int]:
    """Return the ids of all servers that are, were on record, are to be, or still stop."""
    return {
        *ensemble.roles,
        *(member.id for member in cluster.status.members),
        *wanted_roles(cluster.spec.replicas, cluster.spec.observers),
        *(server_id(cluster, pod.name) for pod in seen.pods),
        *range(1, ensemble.replicas + 1),
    }
