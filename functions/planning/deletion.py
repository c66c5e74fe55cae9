"""Deleting a cluster: the volumes go only when the spec says so, and only after the servers.

Owned objects go by garbage collection once the finalizer is gone. With `clearPersistence` the
servers are stopped first: a claim that is deleted while its pod runs would be made anew by the
StatefulSet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import PERSISTENT_VOLUME_CLAIM, STATEFUL_SET, Ref
from functions.manifests import names
from functions.planning.bringing import MANAGER
from functions.planning.reconciliation import finalizer_manifest, report
from functions.planning.seen import SeenClaim, SeenPod, SeenStatefulSet
from functions.planning.status import RECONCILED, Wanted
from functions.planning.steps import ApplyObject, DeleteObject, Plan


@dataclass(frozen=True, slots=True)
class Remains:
    """What is still there of a cluster that is being deleted."""

    stateful_set: SeenStatefulSet | None
    pods: tuple[SeenPod, ...]
    claims: tuple[SeenClaim, ...]


def plan_deletion(cluster: ZooKeeperCluster, seen: Remains, now: datetime) -> Plan:
    """Return the next steps of a deletion; the finalizer goes last. Nothing is ever made."""
    if names.FINALIZER not in cluster.metadata.finalizers:
        return ()
    if not cluster.spec.clear_persistence:
        return _release(cluster)
    if seen.stateful_set is not None:
        return (*_delete_stateful_set(cluster, seen.stateful_set), *_waiting(cluster, seen, now))
    if seen.pods:
        return _waiting(cluster, seen, now)
    if seen.claims:
        return (*_delete_claims(cluster, seen), *_waiting(cluster, seen, now))
    return _release(cluster)


def _release(cluster: ZooKeeperCluster) -> Plan:
    return (ApplyObject(finalizer_manifest(cluster, []), MANAGER),)


def _delete_stateful_set(cluster: ZooKeeperCluster, found: SeenStatefulSet) -> Plan:
    if found.is_deleting or found.controller_uid != cluster.metadata.uid:
        return ()
    ref = Ref(STATEFUL_SET, cluster.metadata.namespace, names.stateful_set_name(cluster))
    return (DeleteObject(ref, found.uid),)


def _delete_claims(cluster: ZooKeeperCluster, seen: Remains) -> Plan:
    return tuple(
        DeleteObject(
            Ref(PERSISTENT_VOLUME_CLAIM, cluster.metadata.namespace, claim.name), claim.uid
        )
        for claim in seen.claims
        if not claim.is_deleting
    )


def _waiting(cluster: ZooKeeperCluster, seen: Remains, now: datetime) -> Plan:
    left = [f"pod {pod.name}" for pod in seen.pods]
    left += [f"volume claim {claim.name}" for claim in seen.claims]
    told = f"clearPersistence: waiting until these are gone: {', '.join(left) or 'StatefulSet'}."
    return report(cluster, Wanted(RECONCILED, "False", "Deleting", told), now)
