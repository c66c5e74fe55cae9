"""What was seen in Kubernetes, as values: parsed from its objects, read by planners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.manifests.encryption import OPENED_ANNOTATION, PLAIN, Encryption, encryption_of
from functions.manifests.login import OPEN, Login, login_of
from functions.manifests.names import APPLIED_HASH

Manifest = Mapping[str, Any]

REVISION_LABEL = "controller-revision-hash"


@dataclass(frozen=True, slots=True)
class SeenPod:
    """One pod. `trouble` is why it does not run (`ImagePullBackOff: ...`), or empty.

    A pod that is being stopped is in no trouble, however its containers end.
    """

    name: str
    uid: str
    address: str
    is_ready: bool
    is_deleting: bool
    trouble: str
    revision: str = ""
    node: str = ""
    encryption: Encryption = PLAIN
    opened_after: str = ""
    """The uid of the restore after which it was made: its port for TLS is open."""
    login: Login = OPEN


@dataclass(frozen=True, slots=True)
class SeenClaim:
    """One PersistentVolumeClaim."""

    name: str
    uid: str
    is_deleting: bool


@dataclass(frozen=True, slots=True)
class SeenStatefulSet:
    """The StatefulSet; counts are to be trusted only when `is_observed` (DESIGN 11.9).

    `is_built` is false until reconcile-cluster owns its fields beside `scale`: an apply of the
    replicas alone would take the others away.
    """

    uid: str
    resource_version: str
    replicas: int
    is_observed: bool
    is_deleting: bool
    controller_uid: str
    is_built: bool
    update_revision: str = ""
    generation: int = 0


def seen_pod(pod: Manifest) -> SeenPod:
    metadata, status = pod["metadata"], pod.get("status", {})
    is_deleting = "deletionTimestamp" in metadata
    annotations = metadata.get("annotations") or {}
    return SeenPod(
        name=metadata["name"],
        uid=metadata["uid"],
        address=status.get("podIP", ""),
        is_ready=_is_true(status, "Ready"),
        is_deleting=is_deleting,
        trouble="" if is_deleting else _trouble(status),
        revision=metadata.get("labels", {}).get(REVISION_LABEL, ""),
        node=pod.get("spec", {}).get("nodeName", ""),
        encryption=encryption_of(annotations),
        opened_after=annotations.get(OPENED_ANNOTATION, ""),
        login=login_of(annotations),
    )


def seen_claim(claim: Manifest) -> SeenClaim:
    metadata = claim["metadata"]
    return SeenClaim(
        name=metadata["name"],
        uid=metadata["uid"],
        is_deleting="deletionTimestamp" in metadata,
    )


def seen_stateful_set(manifest: Manifest) -> SeenStatefulSet:
    metadata, status = manifest["metadata"], manifest.get("status", {})
    return SeenStatefulSet(
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        replicas=manifest["spec"].get("replicas", 1),
        is_observed=status.get("observedGeneration") == metadata.get("generation"),
        is_deleting="deletionTimestamp" in metadata,
        controller_uid=controller_uid(manifest),
        update_revision=status.get("updateRevision", ""),
        is_built=APPLIED_HASH in metadata.get("annotations", {}),
        generation=metadata.get("generation", 0),
    )


def controller_uid(manifest: Manifest) -> str:
    """Return the uid of the object's controller, or an empty string when nobody controls it."""
    owners = manifest["metadata"].get("ownerReferences", ())
    return next((str(owner["uid"]) for owner in owners if owner.get("controller")), "")


def _is_true(status: Manifest, condition: str) -> bool:
    found = (c for c in status.get("conditions", ()) if c["type"] == condition)
    return any(c["status"] == "True" for c in found)


def _trouble(status: Manifest) -> str:
    """Return the first reason a person would look for: unschedulable, or a container that fails."""
    scheduled = next(
        (c for c in status.get("conditions", ()) if c["type"] == "PodScheduled"), {"status": ""}
    )
    if scheduled["status"] == "False":
        return f"{scheduled.get('reason', 'Unschedulable')}: {scheduled.get('message', '')}"
    containers = [
        *status.get("initContainerStatuses", ()),
        *status.get("containerStatuses", ()),
    ]
    return next((told for container in containers if (told := _container_trouble(container))), "")


_NORMAL = ("ContainerCreating", "PodInitializing")


def _container_trouble(container: Manifest) -> str:
    state = container.get("state", {})
    waiting, ended = state.get("waiting", {}), state.get("terminated", {})
    if waiting and waiting.get("reason") not in _NORMAL:
        return _sentence(container, waiting)
    if ended and ended.get("exitCode") != 0:
        why = f" ({ended['reason']})" if "reason" in ended else ""
        how = f"ended with exit code {ended.get('exitCode')}{why}"
        return _sentence(container, {**ended, "reason": how})
    return ""


def _sentence(container: Manifest, state: Manifest) -> str:
    message = str(state.get("message", "")).strip().replace("\n", " ")[:200]
    told = f"{container['name']} {state.get('reason', 'failed')}"
    return f"{told}: {message}" if message else told
