"""The super user's Secret: made once, given a new password on request, tidied up afterwards.

Invariant: the password of every server that runs is in the Secret. A server knows the digest it was
started with, so while a new one is on its way the former passwords stay beside it, and whoever
changes the member list shows them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import SECRET, STATEFUL_SET, Ref
from functions.api.manifest import Manifest
from functions.manifests import names
from functions.manifests.access import (
    FORMER_PASSWORDS,
    has_asked_password,
    password_hash,
    super_user_secret,
    with_new_password,
    without_former_passwords,
)
from functions.manifests.pod import SUPER_USER_ANNOTATION
from functions.planning.seen import SeenPod, seen_stateful_set
from functions.planning.steps import Announce, CreateObject, Plan, ReplaceObject

MANAGER = "reconcile-cluster"


def plan_super_user(
    cluster: ZooKeeperCluster,
    seen: Mapping[Ref, Manifest],
    pods: Sequence[SeenPod],
    fresh_password: str,
) -> Plan:
    """Return the step that makes the Secret what the spec and the servers need.

    It is looked at before the pods' template names its content: of two deliveries that race, only
    one's password is stored.
    """
    found = seen.get(secret_ref(cluster))
    if found is None:
        return (CreateObject(super_user_secret(cluster, fresh_password), MANAGER),)
    if not has_asked_password(cluster, found):
        told = "The super user gets a new password: the servers are restarted one by one."
        asked = str(cluster.spec.super_user.rotated_at)
        changed = with_new_password(cluster, found, fresh_password)
        return (
            Announce("Normal", "PasswordRotated", told, asked),
            ReplaceObject(changed, MANAGER),
        )
    if is_rotating(found) and _is_everywhere(cluster, found, seen, pods):
        return (ReplaceObject(without_former_passwords(cluster, found), MANAGER),)
    return ()


def secret_ref(cluster: ZooKeeperCluster) -> Ref:
    return Ref(SECRET, cluster.metadata.namespace, names.super_user_secret_name(cluster))


def is_rotating(secret: Manifest) -> bool:
    """Whether servers may still run with a former password."""
    return FORMER_PASSWORDS in secret["data"]


def _is_everywhere(
    cluster: ZooKeeperCluster,
    secret: Manifest,
    seen: Mapping[Ref, Manifest],
    pods: Sequence[SeenPod],
) -> bool:
    """Whether every pod was made from a template that names the present password."""
    ref = Ref(STATEFUL_SET, cluster.metadata.namespace, names.stateful_set_name(cluster))
    if ref not in seen:
        return not pods
    found = seen_stateful_set(seen[ref])
    annotations = seen[ref]["spec"]["template"]["metadata"].get("annotations", {})
    is_named = annotations.get(SUPER_USER_ANNOTATION) == password_hash(secret)
    return (
        is_named
        and found.is_observed
        and all(pod.revision == found.update_revision for pod in pods)
    )
