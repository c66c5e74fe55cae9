"""Servers that cannot start again by themselves: their own member list does not name them.

A joiner takes over the committed list as soon as it has caught up, before it is in there. When its
container ends then, every further start ends with `My id 4 not in the peer list` (tried), for only
the preparation gives it a list to start from, and that runs once for each pod. The same holds for
a server whose files are gone, list and all, while its pod stays.
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.manifests.names import server_id
from functions.planning.ensemble import DiskReport
from functions.planning.scale_slice import Seen
from functions.planning.scaling import ReplacePod, wanted_roles


def pod_to_replace(cluster: ZooKeeperCluster, seen: Seen) -> ReplacePod | None:
    """Return the first pod whose server is wanted, answers nothing and will not start again."""
    if cluster.spec.storage.ephemeral and seen.servers.leader is None:
        return None  # A joiner that had caught up may hold the newest data that is left.
    wanted = wanted_roles(cluster.spec.replicas, cluster.spec.observers)
    pods = {server_id(cluster, pod.name): pod for pod in seen.pods if not pod.is_deleting}
    for number in sorted(wanted.keys() & pods.keys() - seen.servers.stats.keys()):
        report = seen.disks.get(number)
        if report is not None and _lacks_itself(number, report, seen):
            return ReplacePod(pods[number].name, pods[number].uid)
    return None


def _lacks_itself(number: int, report: DiskReport, seen: Seen) -> bool:
    """Whether its list lacks the server, or is gone with its files and a leader can fill it."""
    return number not in report.members and (
        bool(report.members) or seen.servers.leader is not None
    )
