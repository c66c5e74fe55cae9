"""Going on after a majority of the disks was lost: only as a person says, and in one way only.

Invariant (zookeeper.md 4.4, tried): of the empty disks only as many may vote as the quorum lacks.
Then all that may vote are just a quorum, so whoever elects includes every server with data, and the
newest leads. A volume that was let vote stays on the record when another is lost after it, and is
counted: it is known by its uid, and a wiped one in its place is not that one. So whatever is lost
on the way, empty disks alone never are a majority.

The order: the decision is recorded (`status.recovery`) by compare-and-set, then the pods that run
there without a vote are deleted, each by its uid; the preparation of the new ones reads the record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import POD, Ref
from functions.api.manifest import Manifest
from functions.api.status import Bootstrap, RecoveryStatus, RecoveryVolume
from functions.manifests.names import pod_name
from functions.planning import adoption, operation, recovery_words
from functions.planning.losses import (
    Losses,
    incident_id,
    losses_of,
    volume_of,
)
from functions.planning.operation import Step
from functions.planning.scale_slice import SCALED, Seen
from functions.planning.seen import SeenPod
from functions.planning.status import Wanted, seen_condition
from functions.planning.steps import Announce, DeleteObject, Plan

MOVER = "Recover"
MAJORITY_LOST = "MajorityLost"
REFUSED = "RecoveryRefused"
RECOVERING = "Recovering"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is so: the condition Scaled, the fields of status that go with it, and the news.

    `accepted` is a decision that is to be carried out and is not on record yet.
    """

    condition: Wanted
    fields: Manifest = field(default_factory=dict)
    news: tuple[Announce, ...] = ()
    accepted: RecoveryStatus | None = None


def judge(cluster: ZooKeeperCluster, record: Bootstrap, seen: Seen, otherwise: Wanted) -> Verdict:
    """Return what to report; `otherwise` is the condition while no majority is lost."""
    if seen.servers.leader is not None:
        return _over(cluster, otherwise)
    losses = losses_of(cluster, seen)
    if told := adoption.mismatch(cluster, record, losses):
        return _said(cluster, adoption.DO_NOT_MATCH, told, None)
    if cluster.status.recovery is not None and not losses.is_lost:
        return _under_way(seen, cluster.status.recovery)
    if losses.is_lost:
        return _lost(cluster, seen, losses, incident_id(cluster, seen, losses))
    if cluster.status.incident and losses.may_be_lost:
        # A disk that cannot be looked at just now proves nothing: the loss stands.
        return _lost(cluster, seen, losses, cluster.status.incident)
    return Verdict(otherwise, {"incident": None})


def _over(cluster: ZooKeeperCluster, otherwise: Wanted) -> Verdict:
    """A majority serves: the incident is over, whether its disks came back or were replaced."""
    fields = {"incident": None, "recovery": None}
    ended = cluster.status.recovery
    if ended is None:
        return Verdict(otherwise, fields)
    told = (
        f"A majority serves again, continued from {ended.continue_from}. The other servers that "
        "lost their disks are filled by the leader."
    )
    return Verdict(otherwise, fields, (Announce("Normal", "Recovered", told, ended.incident),))


def _lost(cluster: ZooKeeperCluster, seen: Seen, losses: Losses, incident: str) -> Verdict:
    told = recovery_words.loss(cluster, losses, incident)
    asked = cluster.spec.recovery
    # What a person quotes must have been shown before, and be this very loss.
    if asked is None or not incident == cluster.status.incident == asked.incident:
        return _said(cluster, MAJORITY_LOST, told, incident)
    if refusal := recovery_words.refusal(cluster, losses, asked.continue_from):
        return _said(cluster, REFUSED, f"{refusal} {told}", incident)
    accepted = RecoveryStatus(
        incident=incident,
        continue_from=asked.continue_from,
        volumes=_volumes(cluster, seen, losses),
    )
    is_held = _is_held(cluster)
    condition = Wanted(SCALED, "False", RECOVERING, recovery_words.progress(accepted))
    news = (Announce("Normal", RECOVERING, condition.message, incident),)
    fields = {"incident": incident, "recovery": accepted.manifest()} if is_held else {}
    return Verdict(condition, fields, news if is_held else (), accepted)


def _volumes(cluster: ZooKeeperCluster, seen: Seen, losses: Losses) -> tuple[RecoveryVolume, ...]:
    """Return those that may vote already, and the lowest of the others as far as a quorum lacks."""
    before = cluster.status.recovery
    names = {volume_of(cluster, seen, number)[0] for number in losses.accepted}
    kept = tuple(v for v in before.volumes if v.name in names) if before is not None else ()
    chosen = sorted(losses.lost)[: losses.lacking]
    return (*kept, *(_volume(cluster, seen, number) for number in chosen))


def _volume(cluster: ZooKeeperCluster, seen: Seen, number: int) -> RecoveryVolume:
    name, uid = volume_of(cluster, seen, number)
    pod = next(pod for pod in seen.pods if pod.name == pod_name(cluster, number - 1))
    # An ephemeral volume that may vote is its new pod's, which is not there yet.
    kept = None if cluster.spec.storage.ephemeral else uid
    return RecoveryVolume(name=name, uid=kept, replaces=pod.uid)


def _under_way(seen: Seen, recorded: RecoveryStatus) -> Verdict:
    """Wait for the quorum; record each new pod of ephemeral storage once."""
    volumes = tuple(_with_uid(volume, seen.pods) for volume in recorded.volumes)
    now = recorded.model_copy(update={"volumes": volumes})
    condition = Wanted(SCALED, "False", RECOVERING, recovery_words.progress(recorded))
    return Verdict(condition, {"recovery": now.manifest()})


def _with_uid(volume: RecoveryVolume, pods: tuple[SeenPod, ...]) -> RecoveryVolume:
    new = [pod for pod in pods if pod.name == volume.name and pod.uid != volume.replaces]
    if volume.uid is not None or not new or new[0].is_deleting:
        return volume
    return volume.model_copy(update={"uid": new[0].uid})


def _said(cluster: ZooKeeperCluster, reason: str, told: str, incident: str | None) -> Verdict:
    condition = Wanted(SCALED, "False", reason, told)
    before = seen_condition(cluster, SCALED)
    is_same = before is not None and before.reason == reason
    is_news = not is_same or incident != cluster.status.incident
    news = (Announce("Warning", reason, told, incident or ""),) if is_news else ()
    return Verdict(condition, {"incident": incident}, news)


def go_on(cluster: ZooKeeperCluster, seen: Seen, verdict: Verdict, now: datetime) -> Plan | None:
    """Return the next step of a recovery, or None when it asks for nothing (more)."""
    recorded = verdict.accepted or cluster.status.recovery
    to_replace = _to_replace(cluster, seen)
    if recorded is None or not (verdict.accepted or to_replace):
        return operation.clear(cluster, MOVER) if _is_held(cluster) else None
    if operation.is_held_by_other(cluster, MOVER):
        return ()
    if taken := operation.take(cluster, Step(MOVER, "LetVote", recorded.continue_from), now):
        return taken
    return tuple(
        DeleteObject(Ref(POD, cluster.metadata.namespace, pod.name), pod.uid)
        for pod in to_replace
        if not pod.is_deleting
    )


def _is_held(cluster: ZooKeeperCluster) -> bool:
    held = cluster.status.operation
    return held is not None and held.type == MOVER


def _to_replace(cluster: ZooKeeperCluster, seen: Seen) -> tuple[SeenPod, ...]:
    """Return the pods that run without a vote where one is on record, by their uids."""
    recorded = cluster.status.recovery
    doomed = {volume.replaces for volume in recorded.volumes} if recorded is not None else set()
    return tuple(pod for pod in seen.pods if pod.uid in doomed)
