"""Making, mending and removing the objects a cluster owns, each compared with what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import SERVICE, STATEFUL_SET, Ref
from functions.api.manifest import Manifest, ref_of
from functions.manifests.names import APPLIED_HASH
from functions.manifests.owned import unwanted_refs
from functions.manifests.stateful_set import with_replicas
from functions.planning.drift import has_just_our_ports, is_as_wanted
from functions.planning.membership import is_stopped, may_start, server_count
from functions.planning.steps import ApplyObject, DeleteObject, LookAgain, Plan, ReplaceObject

MANAGER = "reconcile-cluster"
# Replicas belong to `scale`: a new StatefulSet is made in its name, so that the first apply of
# reconcile-cluster, which leaves them out, does not reset them to 1 (tried).
REPLICAS_MANAGER = "scale"


def dropped(cluster: ZooKeeperCluster, seen: Mapping[Ref, Manifest]) -> Plan:
    """Remove what the spec no longer asks for: left alone it would keep its effect."""
    return tuple(
        DeleteObject(ref, seen[ref]["metadata"]["uid"])
        for ref in unwanted_refs(cluster)
        if ref in seen and "deletionTimestamp" not in seen[ref]["metadata"]
    )


def brought(
    cluster: ZooKeeperCluster, wanted: Sequence[Manifest], seen: Mapping[Ref, Manifest]
) -> Plan:
    return tuple(step for manifest in wanted for step in _bring(cluster, manifest, seen))


def _bring(cluster: ZooKeeperCluster, wanted: Manifest, seen: Mapping[Ref, Manifest]) -> Plan:
    found = seen.get(ref_of(wanted))
    if found is None:
        return _creation(cluster, wanted)
    if "deletionTimestamp" in found["metadata"]:
        return ()
    if wanted["kind"] == SERVICE.name and not has_just_our_ports(wanted, found):
        return (ReplaceObject(_with_our_ports(wanted, found), MANAGER),)
    if is_as_wanted(wanted, found):
        return ()
    precondition = {
        "uid": found["metadata"]["uid"],
        "resourceVersion": found["metadata"]["resourceVersion"],
    }
    if _is_held_by_creator(found):
        return (ApplyObject(_replicas_of(found, precondition), REPLICAS_MANAGER), LookAgain())
    manifest = {**wanted, "metadata": {**wanted["metadata"], **precondition}}
    return (ApplyObject(manifest, MANAGER, _takes_over(wanted)),)


def _is_held_by_creator(found: Manifest) -> bool:
    """Whether `scale` still holds all that it created the StatefulSet with.

    What two managers hold stays when one of them drops it: a wish that is gone would keep its
    effect. Before reconcile-cluster has applied the object once, nobody else holds it.
    """
    if found["kind"] != STATEFUL_SET.name or APPLIED_HASH not in found["metadata"].get(
        "annotations", {}
    ):
        return False
    managers = found["metadata"].get("managedFields", ())
    return any(
        entry.get("manager") == REPLICAS_MANAGER
        and "f:template" in entry.get("fieldsV1", {}).get("f:spec", {})
        for entry in managers
    )


def _replicas_of(found: Manifest, precondition: Manifest) -> Manifest:
    """Return the apply after which `scale` holds the number of servers and nothing else."""
    metadata = {key: found["metadata"][key] for key in ("name", "namespace")}
    return {
        **{key: found[key] for key in ("apiVersion", "kind")},
        "metadata": {**metadata, **precondition},
        "spec": {"replicas": found["spec"].get("replicas", 1)},
    }


def _with_our_ports(wanted: Manifest, found: Manifest) -> Manifest:
    """Return the Service as it is, but with our ports alone.

    A port is told apart by its number, so one that was edited is somebody's new port beside ours
    to server-side apply, and refused for its name.
    """
    kept = {(port["port"], port["protocol"]): port for port in found["spec"].get("ports", ())}
    ours = wanted["spec"]["ports"]
    ports = [{**kept.get((port["port"], port["protocol"]), {}), **port} for port in ours]
    return {**found, "spec": {**found["spec"], "ports": ports}}


def _takes_over(wanted: Manifest) -> frozenset[str]:
    """Return who else's fields are ours: all that `scale` held as the StatefulSet's creator.

    `scale` keeps the replicas, which no manifest of ours names.
    """
    is_stateful_set = wanted["kind"] == STATEFUL_SET.name
    return frozenset({REPLICAS_MANAGER}) if is_stateful_set else frozenset()


def _creation(cluster: ZooKeeperCluster, wanted: Manifest) -> Plan:
    """Make an object; the StatefulSet only once its servers may run, with all of them at once.

    The number never depends on when this runs (DESIGN 11.4): of two deliveries that race, or with
    the object deleted meanwhile, the later one asks for the same servers.
    """
    if wanted["kind"] != STATEFUL_SET.name:
        return (ApplyObject(wanted, MANAGER),)
    if not may_start(cluster):
        return ()
    count = 0 if is_stopped(cluster) else server_count(cluster)
    return (
        ApplyObject(_unmarked(with_replicas(wanted, count)), REPLICAS_MANAGER),
        ApplyObject(wanted, MANAGER, _takes_over(wanted)),
    )


def _unmarked(manifest: Manifest) -> Manifest:
    """Return the manifest without the annotation that says reconcile-cluster applied it."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "annotations"}
    return {**manifest, "metadata": metadata}
