"""Replacing the pods of an older revision, one at a time, the leader last: the slice of `roll`.

Invariant: a Ready pod is removed only while every other voter serves, and nothing goes on past a
pod of the new revision that does not come back. A roll costs one election, the leader's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import FunctionError, Refused
from functions.api.kinds import POD, Ref
from functions.manifests.budget import SAFE_VOTERS
from functions.manifests.names import pod_name, server_id
from functions.planning import operation
from functions.planning.denial import DENIED, denied, say_and_try
from functions.planning.ensemble import SeenServers
from functions.planning.membership import counted, is_stopped, voters
from functions.planning.operation import Step
from functions.planning.restores.hold import step_of
from functions.planning.seen import SeenPod, SeenStatefulSet
from functions.planning.status import (
    RECONCILED,
    Slice,
    Wanted,
    has_turned,
    seen_condition,
    since,
    write_status,
)
from functions.planning.steps import Announce, DeleteObject, EvictPod, Plan

MANAGER = "roll"
UPDATED = "Updated"
MOVER = "Roll"
PROGRESS = frozenset({"Rolling"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What `roll` looks at."""

    stateful_set: SeenStatefulSet | None
    pods: tuple[SeenPod, ...]
    servers: SeenServers


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a roll is: the condition, and the pod to replace now, if any."""

    condition: Wanted
    replace: SeenPod | None = None


def plan_roll(cluster: ZooKeeperCluster, seen: Seen, now: datetime) -> Plan:
    """Say where the roll is; once that is said, replace the next pod."""
    verdict = judge(cluster, seen)
    if verdict.condition.status == "True" and _is_ahead(cluster):
        return ()  # Once reconcile-cluster has looked, which makes an event, there may be more.
    tried = _next_steps(cluster, verdict.replace, seen, now)
    return say_and_try(
        cluster, verdict.condition, PROGRESS, tried, lambda told: _report(cluster, told, now)
    )


def _next_steps(cluster: ZooKeeperCluster, pod: SeenPod | None, seen: Seen, now: datetime) -> Plan:
    if pod is None:
        return operation.clear(cluster, MOVER)
    if operation.is_held_by_other(cluster, MOVER):
        return ()
    return _replace(cluster, pod, seen, now)


def _is_ahead(cluster: ZooKeeperCluster) -> bool:
    """Whether the spec changed and the StatefulSet is yet to follow it.

    To say that every pod is as this spec wants would be wrong for a moment, and whoever waits for
    `Updated` would go on in it.
    """
    reconciled = seen_condition(cluster, RECONCILED)
    return reconciled is not None and reconciled.observed_generation != cluster.metadata.generation


def judge(cluster: ZooKeeperCluster, seen: Seen) -> Verdict:
    """Return what can be done now: pure, and the same for every delivery that sees the same."""
    found = seen.stateful_set
    if resting := _resting(cluster, seen):
        return resting
    if found is None or not found.is_observed or not found.update_revision:
        return _wait("StatefulSetNotObserved", "The StatefulSet's controller has yet to see it.")
    outdated = [pod for pod in seen.pods if pod.revision != found.update_revision]
    if not outdated:
        return _at_the_end(cluster, seen)
    if held_back := _held_back(cluster, outdated, seen):
        return held_back
    there = f"{len(seen.pods) - len(outdated)} of {counted(len(seen.pods), 'pod')} replaced"
    fresh = [pod for pod in seen.pods if pod not in outdated]
    if unwell := [pod for pod in fresh if not _answers(cluster, pod, seen)]:
        return _blocked(unwell, there)
    if sick := [pod for pod in outdated if not pod.is_ready and not pod.is_deleting]:
        # It serves nobody: replacing it costs nothing, and is the way out of a bad revision.
        return _go_on(sick[0], there)
    if missing := _not_serving(cluster, seen):
        return _wait("Rolling", f"{there}; waits for {', '.join(missing)}.")
    return _go_on(_next(cluster, outdated, seen), there)


def _held_back(
    cluster: ZooKeeperCluster, outdated: Sequence[SeenPod], seen: Seen
) -> Verdict | None:
    if step_of(cluster) is not None:
        told = f"A restore is under way: {counted(len(outdated), 'pod')} stay as they are."
        return _wait("Restoring", told)
    if cluster.spec.paused:
        return _wait("Paused", f"spec.paused: {counted(len(outdated), 'pod')} stay as they are.")
    told = _would_lose_data(cluster, seen)
    return _wait("WouldLoseData", told) if told else None


def _would_lose_data(cluster: ZooKeeperCluster, seen: Seen) -> str:
    """Return why no pod may go: an ephemeral one takes its data along, and comes back voteless."""
    record = cluster.status.bootstrap
    is_empty_yet = record is not None and record.state == "open"
    if not cluster.spec.storage.ephemeral or is_empty_yet:
        return ""
    if len(voters(cluster)) < SAFE_VOTERS:
        return (
            "With ephemeral storage and fewer than three voters, a replaced pod takes along data "
            "that a majority needs: grow to three first, or delete the cluster and create it anew."
        )
    if seen.servers.leader is None:
        return "Nobody leads, and with ephemeral storage a pod may hold the only data that is left."
    return ""


def _resting(cluster: ZooKeeperCluster, seen: Seen) -> Verdict | None:
    """While stopped no pod is replaced: on waking, all are made of the newest revision."""
    if not is_stopped(cluster):
        is_left = cluster.spec.paused and seen.stateful_set is None
        return _wait("Paused", "spec.paused: no StatefulSet is made.") if is_left else None
    if seen.pods:
        return _wait("Stopping", "spec.stopped: the servers are being stopped.")
    told = "No server runs: each starts with the newest revision on waking."
    return Verdict(Wanted(UPDATED, "True", "AsWanted", told))


def _at_the_end(cluster: ZooKeeperCluster, seen: Seen) -> Verdict:
    """Every pod is new: the roll ends when the last one it replaced serves."""
    if _was_rolling(cluster) and step_of(cluster) is None:
        if unwell := [pod for pod in seen.pods if not _answers(cluster, pod, seen)]:
            return _blocked(unwell, "Every pod is replaced")
        if missing := _not_serving(cluster, seen):
            return _wait("Rolling", f"Every pod is replaced; waits for {', '.join(missing)}.")
    return Verdict(Wanted(UPDATED, "True", "AsWanted", "Every pod is of the newest revision."))


def _wait(reason: str, told: str) -> Verdict:
    return Verdict(Wanted(UPDATED, "False", reason, told))


def _blocked(unwell: Sequence[SeenPod], there: str) -> Verdict:
    """Stop at a pod of the new revision that has not come back, and say what is wrong with it."""
    told = "; ".join(f"{pod.name} {pod.trouble or _under_way(pod)}" for pod in unwell)
    reason = "PodNotHealthy" if any(pod.trouble for pod in unwell) else "Rolling"
    return _wait(reason, f"{there}; waits for {told}.")


def _under_way(pod: SeenPod) -> str:
    return "is being stopped" if pod.is_deleting else "is starting"


def _go_on(pod: SeenPod, there: str) -> Verdict:
    told = f"{there}; {pod.name} is next."
    return Verdict(Wanted(UPDATED, "False", "Rolling", told), pod)


def _next(cluster: ZooKeeperCluster, outdated: Sequence[SeenPod], seen: Seen) -> SeenPod:
    """Return the pod with the highest ordinal that does not lead, else the leader."""
    return max(
        outdated, key=lambda pod: (not _leads(cluster, pod, seen), server_id(cluster, pod.name))
    )


def _leads(cluster: ZooKeeperCluster, pod: SeenPod, seen: Seen) -> bool:
    stats = seen.servers.stats.get(server_id(cluster, pod.name))
    return stats is not None and stats.mode == "leader"


def _serves(cluster: ZooKeeperCluster, pod: SeenPod, seen: Seen) -> bool:
    stats = seen.servers.stats.get(server_id(cluster, pod.name))
    return pod.is_ready and not pod.is_deleting and stats is not None and bool(stats.mode)


def _answers(cluster: ZooKeeperCluster, pod: SeenPod, seen: Seen) -> bool:
    """Whether the server runs; while there is no quorum that is all it can do."""
    return not pod.is_deleting and server_id(cluster, pod.name) in seen.servers.stats


def _not_serving(cluster: ZooKeeperCluster, seen: Seen) -> list[str]:
    """Return every voter without a serving pod, by the pod's name."""
    serving = {server_id(cluster, pod.name) for pod in seen.pods if _serves(cluster, pod, seen)}
    return [pod_name(cluster, number - 1) for number in sorted(voters(cluster) - serving)]


def _was_rolling(cluster: ZooKeeperCluster) -> bool:
    seen = seen_condition(cluster, UPDATED)
    return seen is not None and seen.reason in ("Rolling", "PodNotHealthy", DENIED)


def _replace(cluster: ZooKeeperCluster, pod: SeenPod, seen: Seen, now: datetime) -> Plan:
    step = Step(MOVER, "ReplacePod", pod.name, pod_uid=pod.uid)
    if recorded := operation.take(cluster, step, now):
        return (Announce("Normal", "Rolling", f"{pod.name} is replaced.", pod.uid), *recorded)
    ref = Ref(POD, cluster.metadata.namespace, pod.name)
    # Below three voters the budget allows no eviction at all; a roll is asked for all the same.
    may_evict = _serves(cluster, pod, seen) and len(voters(cluster)) >= SAFE_VOTERS
    return (EvictPod(ref, pod.uid) if may_evict else DeleteObject(ref, pod.uid),)


def plan_refused_roll(cluster: ZooKeeperCluster, error: FunctionError, now: datetime) -> Plan:
    """Return the status and the Warning that tell why a pod could not be replaced."""
    if not isinstance(error, Refused):
        return ()  # The spec itself: reconcile-cluster tells that.
    wanted = denied(UPDATED, error)
    written = write_status(cluster, Slice(MANAGER, {}, (wanted,), frozenset({UPDATED})), now)
    if not written:
        return ()
    return (Announce("Warning", wanted.reason, wanted.message, since(cluster, UPDATED)), *written)


def _report(cluster: ZooKeeperCluster, wanted: Wanted, now: datetime) -> Plan:
    part = Slice(MANAGER, {}, (wanted,), frozenset({UPDATED}))
    written = write_status(cluster, part, now)
    if not written or not has_turned(cluster, wanted):
        return written
    is_over = wanted.status == "True" and not is_stopped(cluster)
    if is_over and _was_rolling(cluster):
        return (Announce("Normal", "Rolled", wanted.message, since(cluster, UPDATED)), *written)
    return written
