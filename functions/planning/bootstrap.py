"""The first creation of an ensemble and its record: the slice of `scale`.

Invariant (DESIGN 5.3 and 11.2): an empty disk votes only if its volume was recorded while nobody
had served yet. So the record comes first, then the volumes and their uids, then the pods; and a
cluster that finds pods, a StatefulSet with servers or volumes, but no record, never gets one that
lets disks vote.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.status import Bootstrap
from functions.manifests.claims import claims
from functions.manifests.names import (
    FINALIZER,
    ordinal_of,
    ordinal_of_claim,
    pod_name,
)
from functions.planning.membership import counted, quorum
from functions.planning.scale_slice import MANAGER, SCALED, Seen, is_ours, report, run_servers
from functions.planning.seen import SeenClaim, SeenPod
from functions.planning.status import Wanted
from functions.planning.steps import Announce, CreateObject, LookAgain, Plan


def open_record(cluster: ZooKeeperCluster, seen: Seen, now: datetime) -> Plan:
    """Record what is there before anything starts; this is the only place a record is made."""
    count = _servers_there(cluster, seen)
    state = "adopted" if count else "open"
    members = tuple(
        {"id": ordinal + 1, "name": pod_name(cluster, ordinal)}
        for ordinal in range(count or cluster.spec.replicas)
    )
    record = Bootstrap.model_validate({"state": state, "members": members})
    told = f"The ensemble is created with {counted(len(members), 'server')}."
    if state == "adopted":
        told = (
            f"Pods or volumes of {counted(len(members), 'server')} were there before this object: "
            "data and member lists are kept, and no server may start empty."
        )
    started = Announce("Normal", "Adopted" if count else "CreationStarted", told)
    return (started, *report(cluster, record, _progress(record, seen), now))


def _servers_there(cluster: ZooKeeperCluster, seen: Seen) -> int:
    """Return how many servers' pods, volumes or replicas exist without a record."""
    running = seen.stateful_set.replicas if seen.stateful_set is not None else 0
    ordinals = [ordinal_of_claim(cluster, claim.name) for claim in seen.claims]
    ordinals += [ordinal_of(cluster, pod.name) for pod in seen.pods]
    return max([running, *(number + 1 for number in ordinals if number is not None)])


def go_on(cluster: ZooKeeperCluster, record: Bootstrap, seen: Seen, now: datetime) -> Plan:
    """Take the next step towards the first quorum."""
    if FINALIZER not in cluster.metadata.finalizers:
        # A claim made before it would outlive a deletion that is to take the volumes along.
        return _report(cluster, record, seen, now)
    if missing := _missing_claims(cluster, record, seen):
        return missing
    recorded = _record_volumes(cluster, record, seen)
    if recorded != record:
        return report(cluster, recorded, _progress(recorded, seen), now)
    if has_quorum(record, seen):
        completed = record.model_copy(update={"state": "completed"})
        told = f"The ensemble of {counted(len(record.members), 'server')} has its first quorum."
        return (
            Announce("Normal", "Created", told),
            *report(cluster, completed, _progress(completed, seen), now),
            LookAgain(),
        )
    return (*_replicas(cluster, record, seen), *_report(cluster, record, seen, now))


def _missing_claims(cluster: ZooKeeperCluster, record: Bootstrap, seen: Seen) -> Plan:
    there = {claim.name for claim in seen.claims}
    return tuple(
        CreateObject(claim, MANAGER)
        for member in record.members
        for claim in claims(cluster, member.id - 1)
        if claim["metadata"]["name"] not in there
    )


def _record_volumes(cluster: ZooKeeperCluster, record: Bootstrap, seen: Seen) -> Bootstrap:
    """Add the volumes that were not on record; one whose uid changed keeps its first uid.

    A volume that took another's place while the record is open is thereby never let vote.
    """
    known = {volume.name for volume in record.volumes}
    found: Sequence[SeenClaim | SeenPod] = (
        seen.pods if cluster.spec.storage.ephemeral else seen.claims
    )
    new = [
        {"name": item.name, "uid": item.uid}
        for item in sorted(found, key=lambda item: item.name)
        if item.name not in known and not item.is_deleting
    ]
    if not new:
        return record
    volumes = [*(volume.manifest() for volume in record.volumes), *new]
    return Bootstrap.model_validate({**record.manifest(), "volumes": volumes})


def has_quorum(record: Bootstrap, seen: Seen) -> bool:
    """Whether the first quorum serves."""
    return seen.servers.leader is not None and _serving(seen) >= quorum(len(record.members))


def _serving(seen: Seen) -> int:
    return sum(stats.mode in ("leader", "follower") for stats in seen.servers.stats.values())


def _replicas(cluster: ZooKeeperCluster, record: Bootstrap, seen: Seen) -> Plan:
    """Let as many pods run as the record has servers."""
    found = seen.stateful_set
    if found is None or not is_ours(cluster, found) or found.replicas == len(record.members):
        return ()
    return (run_servers(cluster, found, len(record.members)),)


def _report(cluster: ZooKeeperCluster, record: Bootstrap, seen: Seen, now: datetime) -> Plan:
    return report(cluster, record, _progress(record, seen), now)


def _progress(record: Bootstrap, seen: Seen) -> Wanted:
    count = len(record.members)
    servers = counted(count, "server")
    told = f"{_serving(seen)} of {servers} serve; the first quorum needs {quorum(count)}."
    return Wanted(SCALED, "False", "Creating", told)
