"""Which volumes to make, to grow and to remove: claims, volumes and classes in, manifests out."""

from __future__ import annotations

from pathlib import Path

from local.kube import Object
from local.node.quantities import whole_units

PROVISIONER = "local.zookeeper.example.com/folder"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
CLAIM_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
HOSTNAME = "kubernetes.io/hostname"
SIZED = "sized"
MEDIUM = "medium"


def storage_class() -> Object:
    """The default class; it waits for the pod, so that volume and pod agree about the node."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": True,
    }


def sized_class() -> Object:
    """Volumes that can be full: memory of exactly the claimed size, for trying a full disk.

    A folder of this machine has no size that an ordinary user could limit.
    """
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": SIZED},
        "provisioner": PROVISIONER,
        "parameters": {MEDIUM: "Memory"},
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": True,
    }


def memory_bytes(claim: Object, found: Object) -> int:
    """The size of a volume in memory; 0 for one that is a plain folder."""
    if (found.get("parameters") or {}).get(MEDIUM) != "Memory":
        return 0
    return whole_units(claim["spec"]["resources"]["requests"]["storage"], 1)


def is_wanted(claim: Object, classes: dict[str, Object]) -> bool:
    """Whether this claim waits for a volume of ours."""
    found = classes.get(claim["spec"].get("storageClassName") or "")
    if found is None or found["provisioner"] != PROVISIONER:
        return False
    if claim["spec"].get("volumeName") or claim["metadata"].get("deletionTimestamp"):
        return False
    if claim["spec"].get("volumeMode", "Filesystem") != "Filesystem":
        return False
    waits = found.get("volumeBindingMode") == "WaitForFirstConsumer"
    return not waits or SELECTED_NODE in (claim["metadata"].get("annotations") or {})


def volume_name(claim: Object) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def volume(claim: Object, found: Object, folder: Path) -> Object:
    """The PersistentVolume that answers `claim`, of storage class `found`."""
    metadata, spec = claim["metadata"], claim["spec"]
    wanted: Object = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": volume_name(claim),
            "annotations": {PROVISIONED_BY: PROVISIONER},
        },
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": found.get("reclaimPolicy", "Delete"),
            "storageClassName": spec["storageClassName"],
            "volumeMode": "Filesystem",
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "hostPath": {"path": str(folder / volume_name(claim)), "type": "DirectoryOrCreate"},
        },
    }
    node = (metadata.get("annotations") or {}).get(SELECTED_NODE)
    if node:
        wanted["spec"]["nodeAffinity"] = _only_on(node)
    return wanted


def _only_on(node: str) -> Object:
    expression = {"key": HOSTNAME, "operator": "In", "values": [node]}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}


def is_ours(found: Object) -> bool:
    annotations = found["metadata"].get("annotations") or {}
    return annotations.get(PROVISIONED_BY) == PROVISIONER


def is_to_be_removed(found: Object) -> bool:
    """A volume whose claim is gone, and that nobody asked to keep."""
    return (
        is_ours(found)
        and found.get("status", {}).get("phase") == "Released"
        and found["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
    )


def grown_size(claim: Object) -> str | None:
    """Return the size a bound claim asks for when it is not the one it has."""
    if claim.get("status", {}).get("phase") != "Bound":
        return None
    wanted: str = claim["spec"]["resources"]["requests"]["storage"]
    return wanted if claim["status"].get("capacity", {}).get("storage") != wanted else None
