"""Which server a backup is copied from, or the sentence why there is none.

The healthiest one that is observed: a follower that serves before the leader, whose disk and
network every write waits for, and when nobody serves the one with the newest disk. The choice
sticks as long as no better kind of server is there, so that an idle system writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from functions.api.backup import ZooKeeperBackup
from functions.api.cluster import ZooKeeperCluster
from functions.api.restore import ZooKeeperRestore
from functions.api.status import Server
from functions.manifests.job_names import GENERATION
from functions.manifests.names import ordinal_of, pod_name
from functions.planning.backups.seen import Seen
from functions.planning.ensemble import DiskReport
from functions.planning.instance import find_cluster, other_data_dir
from functions.planning.membership import is_stopped

# The better ones last.
_RANKS = ("standalone", "leader", "observer", "follower")
# A restore at one of these steps is about to stop the servers, or has.
_IN_THE_WAY = frozenset({"Wait", "Arm", "Stop", "Start", "Verify", "Open", "StopBack", "StartBack"})
OVER = frozenset({"completed", "failed", "restarted"})


@dataclass(frozen=True, slots=True)
class Source:
    """A server to copy from; its pod is on a node (`is_beside`) or not.

    `note` is what a person should know about the choice.
    """

    cluster: ZooKeeperCluster
    ordinal: int
    is_serving: bool
    is_beside: bool
    method: str
    note: str = ""

    @property
    def pod(self) -> str:
        return pod_name(self.cluster, self.ordinal)


@dataclass(frozen=True, slots=True)
class NoSource:
    """Why nothing can be copied now. `cluster` is the one that is meant, where that is known."""

    reason: str
    message: str
    cluster: ZooKeeperCluster | None = None


def find_source(backup: ZooKeeperBackup, seen: Seen) -> Source | NoSource:
    """Return the server to copy from next."""
    source = backup.spec.source
    cluster = find_cluster(source, "spec.source", seen.clusters)
    if isinstance(cluster, str):
        return NoSource("NoCluster", cluster)
    if told := other_data_dir(source, "spec.source", cluster):
        return NoSource("OtherDataDir", told, cluster)
    if is_stopped(cluster):
        return NoSource("ClusterStopped", _stopped(cluster), cluster)
    server = _server(backup, cluster, seen)
    if isinstance(server, NoSource):
        return server
    ordinal, is_serving = server
    is_beside = is_serving or pod_name(cluster, ordinal) in seen.placed
    return _with_method(backup, Source(cluster, ordinal, is_serving, is_beside, "files"))


def mentions(spec: Mapping[str, Any], cluster: str) -> bool:
    """Whether a backup's spec may mean the cluster: by its name, or by labels it may have."""
    source = spec.get("source") or {}
    return bool(source.get("name", cluster) == cluster)


def needs_leader(backup: ZooKeeperBackup, seen: Seen, active: bool) -> bool:
    """Whether the AdminServer is to be asked now: only before a run (seed defect C15)."""
    source = backup.spec.source
    cluster = find_cluster(source, "spec.source", seen.clusters)
    if source.host is None or isinstance(cluster, str):
        return False
    if not backup.spec.is_scheduled:
        return not active
    made = seen.cron_job["spec"]["jobTemplate"]["metadata"] if seen.cron_job is not None else {}
    is_old = made.get("annotations", {}).get(GENERATION) != str(backup.metadata.generation)
    return is_old or backup.status.server != cluster.status.leader


def needs_disks(backup: ZooKeeperBackup, seen: Seen) -> ZooKeeperCluster | None:
    """Return the cluster whose disks are to be looked at: nobody serves, so the newest counts."""
    source = backup.spec.source
    cluster = find_cluster(source, "spec.source", seen.clusters)
    if isinstance(cluster, str) or source.host is not None:
        return None
    return None if is_stopped(cluster) or serving(cluster) else cluster


def serving(cluster: ZooKeeperCluster) -> dict[int, Server]:
    """Return the servers that serve, by ordinal, as last observed."""
    found = {ordinal_of(cluster, server.name): server for server in cluster.status.servers}
    return {
        ordinal: server
        for ordinal, server in found.items()
        if ordinal is not None and server.mode in _RANKS
    }


def restore_in_the_way(cluster: ZooKeeperCluster, restores: Sequence[ZooKeeperRestore]) -> str:
    """Return the sentence that a restore of the cluster goes first, or an empty text."""
    held = cluster.status.operation
    names = [
        restore.metadata.name
        for restore in restores
        if restore.status.cluster == cluster.metadata.name
        and restore.status.step in _IN_THE_WAY
        and restore.status.status not in OVER
    ]
    if not names and (held is None or held.type != "Restore"):
        return ""
    which = f" {names[0]}" if names else ""
    return (
        f"A ZooKeeperRestore{which} of {cluster.metadata.name} is under way; backups go on after "
        "it by themselves."
    )


def _server(
    backup: ZooKeeperBackup, cluster: ZooKeeperCluster, seen: Seen
) -> tuple[int, bool] | NoSource:
    """Return the ordinal of the server to copy from, and whether it serves."""
    before = ordinal_of(cluster, backup.status.server or "")
    able = serving(cluster)
    if backup.spec.source.host is not None:
        return _asked_leader(backup, cluster, seen.leader, before)
    if able:
        best = max(map(_rank, able.values()))
        candidates = [ordinal for ordinal, server in able.items() if _rank(server) == best]
        return _sticky(candidates, before), True
    return _newest_disk(cluster, seen.disks, before)


def _rank(server: Server) -> tuple[bool, int]:
    return server.ready == "true", _RANKS.index(server.mode)


def _sticky(candidates: Sequence[int], before: int | None) -> int:
    return before if before is not None and before in candidates else min(candidates)


def _asked_leader(
    backup: ZooKeeperBackup, cluster: ZooKeeperCluster, leader: int | str | None, before: int | None
) -> tuple[int, bool] | NoSource:
    """Return the leader that the AdminServer named; between runs the one it named last."""
    ordinals = {ordinal_of(cluster, server.name) for server in cluster.status.servers}
    if leader is None and before is not None and before in ordinals:
        return before, before in serving(cluster)
    if isinstance(leader, int) and leader - 1 in ordinals:
        return leader - 1, leader - 1 in serving(cluster)
    source = backup.spec.source
    answer = (
        f"names server {leader} as the leader, which {cluster.metadata.name} does not have."
        if isinstance(leader, int)
        else f"does not say who leads: {str(leader or 'it was not asked yet').rstrip('.')}."
    )
    told = (
        f"The AdminServer {source.host}:{source.port} (spec.source.host) {answer} Correct the "
        "address, or leave it out: then the healthiest server is chosen."
    )
    return NoSource("LeaderUnknown", told, cluster)


def _newest_disk(
    cluster: ZooKeeperCluster, disks: Mapping[int, DiskReport], before: int | None
) -> tuple[int, bool] | NoSource:
    """Return the server whose disk has the newest data: what lacks a quorum can be copied too."""
    full = {
        number - 1: (disk.epoch, disk.zxid)
        for number, disk in disks.items()
        if not disk.is_empty and disk.zxid is not None
    }
    if not full:
        told = (
            f"No server of {cluster.metadata.name} serves, and none says what its disk holds. "
            "The backup is made as soon as one does."
        )
        return NoSource("NoServer", told, cluster)
    newest = max(full.values())
    return _sticky([o for o, found in full.items() if found == newest], before), False


def _stopped(cluster: ZooKeeperCluster) -> str:
    return (
        f"{cluster.metadata.name} is stopped (spec.stopped), so nobody can tell which volume has "
        "the newest data. Let it run for the backup."
    )


def _with_method(backup: ZooKeeperBackup, source: Source) -> Source | NoSource:
    """Return the source with the method that is possible: without volumes only one is."""
    cluster, wants_files = source.cluster, backup.spec.method == "files"
    has_volumes = not cluster.spec.storage.ephemeral
    if wants_files and has_volumes:
        return source
    if wants_files:
        told = (
            f"The servers of {cluster.metadata.name} have no volumes (spec.storage.ephemeral), so "
            "there are no files to copy. Set spec.method: snapshot."
        )
        return NoSource("NoVolumes", told, cluster)
    problem = _no_snapshot(cluster, is_serving=source.is_serving)
    if not problem:
        return replace(source, method="snapshot")
    if has_volumes:
        return replace(source, note=f"{problem} The files are copied instead.")
    return NoSource("NoSnapshot", problem, cluster)


def _no_snapshot(cluster: ZooKeeperCluster, *, is_serving: bool) -> str:
    name, version = cluster.metadata.name, cluster.status.version or ""
    if not cluster.spec.admin_server.enabled:
        return f"The method snapshot needs spec.adminServer.enabled of {name}."
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers and numbers < (3, 9):
        return f"The method snapshot needs ZooKeeper 3.9 or later; {name} runs {version}."
    return "" if is_serving else "The method snapshot needs a server that serves."
