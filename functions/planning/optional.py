"""Objects of kinds that not every API server has: made, mended and removed where they are served.

Invariant: an object that we did not make is never touched.
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import Ref
from functions.api.manifest import Manifest
from functions.manifests import names
from functions.planning.drift import is_as_wanted
from functions.planning.seen import controller_uid
from functions.planning.steps import ApplyWhereServed, DeleteObject, Plan


def bring(
    cluster: ZooKeeperCluster,
    ref: Ref,
    wanted: Manifest | None,
    found: Manifest | None,
    manager: str,
) -> Plan:
    """Return the step that brings the object at `ref` to what is wanted; None: to be gone."""
    if found is None:
        return (ApplyWhereServed(wanted, manager),) if wanted is not None else ()
    if not is_ours(cluster, found) or "deletionTimestamp" in found["metadata"]:
        return ()
    if wanted is None:
        return (DeleteObject(ref, found["metadata"]["uid"]),)
    if is_as_wanted(wanted, found):
        return ()
    precondition = {key: found["metadata"][key] for key in ("uid", "resourceVersion")}
    manifest = {**wanted, "metadata": {**wanted["metadata"], **precondition}}
    return (ApplyWhereServed(manifest, manager),)


def is_ours(cluster: ZooKeeperCluster, found: Manifest) -> bool:
    """Whether the cluster controls it, or did before its owner was deleted without it."""
    controller = controller_uid(found)
    if controller:
        return controller == cluster.metadata.uid
    labels = found["metadata"].get("labels") or {}
    return names.MANAGED.items() <= labels.items()
