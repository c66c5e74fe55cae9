"""The first creation of an ensemble and its record: the slice of `scale`.

Invariant (DESIGN 5.3 and 11.2): an empty disk votes only if its volume was recorded while nobody
had served yet. So the record comes first, then the volumes and their uids, then the pods; and a
cluster that finds pods, a StatefulSet with servers or volumes, but no record, never gets one that
lets disks vote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.status import Bootstrap
from functions.manifests.claims import claims
from functions.manifests.names import (
    FINALIZER,
    ordinal_of,
    pod_name,
)
from functions.planning import growth
from functions.planning.ensemble import EnsembleConfig
from functions.planning.growth import MANAGER, SCALED, SeenServers
from functions.planning.membership import counted, quorum
from functions.planning.protection import SeenBudget, is_protected, protect
from functions.planning.scaling import Move, RunServers
from functions.planning.seen import SeenClaim, SeenPod, SeenStatefulSet
from functions.planning.status import Slice, Wanted, has_turned, seen_condition, write_status
from functions.planning.steps import Announce, CreateObject, LookAgain, Plan


@dataclass(frozen=True, slots=True)
class Seen:
    """What `scale` looks at."""

    stateful_set: SeenStatefulSet | None
    claims: tuple[SeenClaim, ...]
    pods: tuple[SeenPod, ...]
    servers: SeenServers
    budget: SeenBudget | None


def plan_scale(cluster: ZooKeeperCluster, seen: Seen, now: datetime) -> Plan:
    """Return the next safe steps towards the wanted number of servers."""
    if cluster.status.bootstrap is None:
        return _open_record(cluster, seen, now)
    if cluster.spec.paused:
        told = "spec.paused: the number of servers is left alone."
        paused = Wanted(SCALED, "False", "Paused", told)
        return _status(cluster, cluster.status.bootstrap, paused, now)
    return _with_record(cluster, cluster.status.bootstrap, seen, now)


def _open_record(cluster: ZooKeeperCluster, seen: Seen, now: datetime) -> Plan:
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
    return (started, *_status(cluster, record, _progress(record, seen), now))


def _servers_there(cluster: ZooKeeperCluster, seen: Seen) -> int:
    """Return how many servers' pods, volumes or replicas exist without a record."""
    running = seen.stateful_set.replicas if seen.stateful_set is not None else 0
    ordinals = [_ordinal_in(cluster, claim.name) for claim in seen.claims]
    ordinals += [ordinal_of(cluster, pod.name) for pod in seen.pods]
    return max([running, *(number + 1 for number in ordinals if number is not None)])


def _ordinal_in(cluster: ZooKeeperCluster, claim: str) -> int | None:
    return ordinal_of(cluster, claim.partition("-")[2])


def _with_record(cluster: ZooKeeperCluster, record: Bootstrap, seen: Seen, now: datetime) -> Plan:
    if record.state != "open":
        return _after_creation(cluster, record, seen, now)
    if FINALIZER not in cluster.metadata.finalizers:
        # A claim made before it would outlive a deletion that is to take the volumes along.
        return _report(cluster, record, seen, now)
    if missing := _missing_claims(cluster, record, seen):
        return missing
    recorded = _record_volumes(cluster, record, seen)
    if recorded != record:
        return _status(cluster, recorded, _progress(recorded, seen), now)
    if _has_quorum(record, seen):
        completed = record.model_copy(update={"state": "completed"})
        told = f"The ensemble of {counted(len(record.members), 'server')} has its first quorum."
        return (
            Announce("Normal", "Created", told),
            *_status(cluster, completed, _progress(completed, seen), now),
            LookAgain(),
        )
    return (*_replicas(cluster, record, seen), *_report(cluster, record, seen, now))


def _after_creation(
    cluster: ZooKeeperCluster, record: Bootstrap, seen: Seen, now: datetime
) -> Plan:
    """Say where the ensemble is on its way; once that is said, make the next move."""
    found = seen.stateful_set
    if found is None or not _is_ours(cluster, found):
        told = "The StatefulSet is not there yet."
        return _status(cluster, record, Wanted(SCALED, "False", "NoStatefulSet", told), now)
    if not_yet := _not_carried_out(cluster):
        return _status(cluster, record, Wanted(SCALED, "False", "NotSupportedYet", not_yet), now)
    move, ensemble = growth.move_of(cluster, seen.servers, found)
    condition = _with_advice(record, growth.condition_of(cluster, move, ensemble))
    if written := _status(cluster, record, condition, now, seen.servers.config):
        return (*written, LookAgain())
    if changed := protect(cluster, seen.budget, _pods_that_may_run(move, seen, found)):
        return (*changed, LookAgain())
    if not is_protected(cluster, seen.budget):
        return ()  # Its controller has to see it first, which makes an event.
    return growth.make(cluster, move, seen.servers, found, now)


def _with_advice(record: Bootstrap, condition: Wanted) -> Wanted:
    """Say what to do about an adopted cluster that does not start: its volumes may be empty."""
    if record.state != "adopted" or condition.reason != "NoQuorum":
        return condition
    told = (
        "Its volumes were there before this object: if they hold no data, no server may start from "
        "them. Then delete the cluster and its volume claims, and create it anew."
    )
    return replace(condition, message=f"{condition.message} {told}")


def _pods_that_may_run(move: Move | None, seen: Seen, found: SeenStatefulSet) -> int:
    """Return how many pods may be Ready now or after the next move."""
    next_number = move.replicas if isinstance(move, RunServers) else 0
    return max(found.replicas, len(seen.pods), next_number)


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
    volumes = [*(volume.model_dump(by_alias=True) for volume in record.volumes), *new]
    return Bootstrap.model_validate(
        {**record.model_dump(by_alias=True, exclude_none=True), "volumes": volumes}
    )


def _has_quorum(record: Bootstrap, seen: Seen) -> bool:
    stats = seen.servers.stats.values()
    serving = [it for it in stats if it.mode in ("leader", "follower")]
    leads = any(it.mode == "leader" for it in serving)
    return leads and len(serving) >= quorum(len(record.members))


def _replicas(cluster: ZooKeeperCluster, record: Bootstrap, seen: Seen) -> Plan:
    """Let as many pods run as the record has servers."""
    found = seen.stateful_set
    if found is None or not _is_ours(cluster, found) or found.replicas == len(record.members):
        return ()
    return (growth.run_servers(cluster, found, len(record.members)),)


def _is_ours(cluster: ZooKeeperCluster, found: SeenStatefulSet) -> bool:
    is_controlled = found.controller_uid == cluster.metadata.uid
    return is_controlled and found.is_built and not found.is_deleting


def _report(cluster: ZooKeeperCluster, record: Bootstrap, seen: Seen, now: datetime) -> Plan:
    return _status(cluster, record, _progress(record, seen), now)


def _progress(record: Bootstrap, seen: Seen) -> Wanted:
    count = len(record.members)
    serving = sum(stats.mode in ("leader", "follower") for stats in seen.servers.stats.values())
    servers = counted(count, "server")
    told = f"{serving} of {servers} serve; the first quorum needs {quorum(count)}."
    return Wanted(SCALED, "False", "Creating", told)


def _not_carried_out(cluster: ZooKeeperCluster) -> str:
    """Return the sentence about a wish that this version knows but does not carry out."""
    spec = cluster.spec
    asked = {
        "spec.stopped": spec.stopped,
        "spec.recovery": spec.recovery is not None,
    }
    fields = ", ".join(field for field, is_asked in asked.items() if is_asked)
    return f"This version does not carry out {fields} yet: nothing is changed." if fields else ""


def _status(
    cluster: ZooKeeperCluster,
    record: Bootstrap,
    scaled: Wanted,
    now: datetime,
    config: EnsembleConfig | None = None,
) -> Plan:
    """Return the slice of `scale`: the record, the member list and the condition."""
    known = [
        member.model_dump(by_alias=True, exclude_none=True) for member in cluster.status.members
    ]
    if config is not None:
        known = growth.member_entries(cluster, config)
    first = [{"id": m.id, "name": m.name, "role": "participant"} for m in record.members]
    part = Slice(
        manager=MANAGER,
        fields={
            "bootstrap": record.model_dump(by_alias=True, exclude_none=True, mode="json"),
            "members": known or (first if record.state != "open" else []),
        },
        conditions=(scaled,),
        owned_types=frozenset({SCALED}),
    )
    written = write_status(cluster, part, now)
    if written and scaled.reason == "NotSupportedYet" and _is_new_reason(cluster, scaled):
        return (Announce("Warning", scaled.reason, scaled.message), *written)
    return written


def _is_new_reason(cluster: ZooKeeperCluster, scaled: Wanted) -> bool:
    seen = seen_condition(cluster, SCALED)
    return has_turned(cluster, scaled) or (seen is not None and seen.message != scaled.message)
