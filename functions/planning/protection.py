"""Keeping the disruption budget in step with the pods: raised before one starts, lowered after.

A budget is trusted only when its controller has seen it (`observedGeneration`): until then
evictions are still decided by the one before.
"""

from __future__ import annotations

from dataclasses import dataclass

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import POD_DISRUPTION_BUDGET, Ref
from functions.api.manifest import Manifest
from functions.manifests.budget import disruption_budget
from functions.manifests.names import budget_name
from functions.planning.drift import is_as_wanted
from functions.planning.membership import voters
from functions.planning.steps import ApplyObject, DeleteObject, Plan

MANAGER = "scale"


@dataclass(frozen=True, slots=True)
class SeenBudget:
    """The budget as it is, and whether its controller has seen it as it is."""

    manifest: Manifest
    uid: str
    is_observed: bool


def seen_budget(manifest: Manifest) -> SeenBudget:
    metadata, status = manifest["metadata"], manifest.get("status", {})
    is_observed = status.get("observedGeneration") == metadata.get("generation")
    return SeenBudget(manifest, metadata["uid"], is_observed)


def protect(cluster: ZooKeeperCluster, found: SeenBudget | None, pods: int) -> Plan:
    """Return the step that makes the budget right for `pods` pods, or nothing when it is."""
    if not cluster.spec.disruption_budget.enabled:
        return _without(cluster, found)
    wanted = disruption_budget(cluster, len(voters(cluster)), pods)
    if found is None:
        return (ApplyObject(wanted, MANAGER),)
    if is_as_wanted(wanted, found.manifest):
        return ()
    metadata = found.manifest["metadata"]
    precondition = {"uid": found.uid, "resourceVersion": metadata["resourceVersion"]}
    manifest = {**wanted, "metadata": {**wanted["metadata"], **precondition}}
    return (ApplyObject(manifest, MANAGER),)


def _without(cluster: ZooKeeperCluster, found: SeenBudget | None) -> Plan:
    if found is None:
        return ()
    ref = Ref(POD_DISRUPTION_BUDGET, cluster.metadata.namespace, budget_name(cluster))
    return (DeleteObject(ref, found.uid),)


def is_protected(cluster: ZooKeeperCluster, found: SeenBudget | None) -> bool:
    """Whether what is on record as the budget is what evictions are decided by."""
    return not cluster.spec.disruption_budget.enabled or (found is not None and found.is_observed)
