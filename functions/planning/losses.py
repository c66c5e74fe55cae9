"""What the voters' disks hold while nobody leads, and whether a majority of them is lost for good.

An empty disk never votes (docs/concepts.md). So once fewer voters than a quorum may vote, no server
serves any more, and nothing heals by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from functions.api.cluster import ZooKeeperCluster
from functions.api.status import RecoveryVolume
from functions.manifests.names import claim_name, pod_name, server_id
from functions.planning.ensemble import DiskReport
from functions.planning.membership import quorum, voters
from functions.planning.scale_slice import Seen
from functions.planning.seen import SeenPod


@dataclass(frozen=True, slots=True)
class Losses:
    """Every voter is in one of `holders`, `blank`, `empty` and `unknown`.

    `holders`: it has data, as reported. `blank`: a server that may vote and holds no transaction,
    as one that was let in empty and has yet to find a leader. `empty`: it lost its disk;
    `accepted` are those of them whose present volume may vote, by the record of a recovery.
    `unknown`: the disk could not be looked at, and why. `others` are servers with data and without
    a vote; `reports` is what the voters that were asked said.
    """

    voters: frozenset[int]
    holders: Mapping[int, DiskReport]
    blank: frozenset[int]
    empty: frozenset[int]
    accepted: frozenset[int]
    unknown: Mapping[int, str]
    others: Mapping[int, DiskReport]
    reports: Mapping[int, DiskReport]

    @property
    def quorum(self) -> int:
        return quorum(len(self.voters))

    @property
    def lost(self) -> frozenset[int]:
        """The voters that will never vote as things are."""
        return self.empty - self.accepted

    @property
    def lacking(self) -> int:
        """How many voters a quorum lacks even if every unknown disk holds data; 0: none."""
        return max(0, self.quorum - len(self.voters - self.lost))

    @property
    def is_lost(self) -> bool:
        """Whether the majority is lost for good: no unknown disk could change that."""
        return self.lacking > 0

    @property
    def may_be_lost(self) -> bool:
        """Whether only the unknown disks leave hope."""
        return len(self.voters - self.lost - set(self.unknown)) < self.quorum


def losses_of(cluster: ZooKeeperCluster, seen: Seen) -> Losses:
    """Sort the voters by what their disks hold."""
    members = voters(cluster)
    unknown = _unknown(cluster, seen, members)
    reports = {number: seen.disks[number] for number in members - set(unknown)}
    empty = frozenset(number for number, report in reports.items() if report.is_empty)
    holders = {n: report for n, report in reports.items() if holds_data(report)}
    return Losses(
        voters=members,
        holders=holders,
        blank=frozenset(reports) - empty - set(holders),
        empty=empty,
        accepted=empty & _accepted(cluster, seen),
        unknown=unknown,
        others={n: r for n, r in seen.disks.items() if n not in members and holds_data(r)},
        reports=reports,
    )


def holds_data(report: DiskReport) -> bool:
    """Whether the server ever followed a leader: one that was let in empty has not even an epoch.

    An ensemble that nobody has written to yet has an epoch, and no transaction.
    """
    return not report.is_empty and report.zxid is not None and age(report) > (0, 0)


def age(report: DiskReport) -> tuple[int, int]:
    """Return what ZooKeeper's servers compare when they elect: the larger one leads."""
    return (report.epoch, report.zxid or 0)


def _unknown(cluster: ZooKeeperCluster, seen: Seen, members: Iterable[int]) -> Mapping[int, str]:
    pods = {server_id(cluster, pod.name): pod for pod in seen.pods}
    return {
        number: why
        for number in sorted(members)
        if (why := _why_unknown(pods.get(number), seen.disks.get(number)))
    }


def _why_unknown(pod: SeenPod | None, report: DiskReport | None) -> str:
    if pod is None:
        return "has no pod"
    if report is None:
        return pod.trouble or "cannot be asked what its disk holds"
    if not report.is_empty and report.zxid is None:
        return "has files that cannot be read"
    return ""


def volume_of(cluster: ZooKeeperCluster, seen: Seen, number: int) -> tuple[str, str]:
    """Return the (name, uid) under which a server's disk goes on record; no uid: it is gone."""
    pod = pod_name(cluster, number - 1)
    if cluster.spec.storage.ephemeral:
        return pod, next((found.uid for found in seen.pods if found.name == pod), "")
    name = claim_name(cluster, number - 1)
    return name, next((found.uid for found in seen.claims if found.name == name), "")


def _accepted(cluster: ZooKeeperCluster, seen: Seen) -> frozenset[int]:
    recovery = cluster.status.recovery
    recorded = {volume.name: volume for volume in recovery.volumes} if recovery is not None else {}
    present = {number: volume_of(cluster, seen, number) for number in voters(cluster)}
    return frozenset(
        number
        for number, (name, uid) in present.items()
        if name in recorded and is_the_recorded(recorded[name], uid)
    )


def is_the_recorded(volume: RecoveryVolume, uid: str) -> bool:
    """Whether the volume with this uid is the one on record, or is yet to be recorded."""
    return volume.uid in (None, uid)


def incident_id(cluster: ZooKeeperCluster, seen: Seen, losses: Losses) -> str:
    """Return the name of this very loss: of another cluster or other volumes it is another.

    So a decision that was made about one loss says nothing about the next.
    """
    volumes = sorted("/".join(volume_of(cluster, seen, number)) for number in losses.lost)
    told = "\n".join((cluster.metadata.uid, *volumes))
    return hashlib.sha256(told.encode()).hexdigest()[:10]
