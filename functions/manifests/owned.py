"""All objects that one cluster owns, and which of them an event may be about."""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import (
    CLUSTER,
    CONFIG_MAP,
    NETWORK_POLICY,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_DISRUPTION_BUDGET,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Kind,
    Ref,
)
from functions.api.manifest import Manifest
from functions.manifests import names
from functions.manifests.access import role_binding, service_account
from functions.manifests.config_map import config_hash, config_map
from functions.manifests.encryption import PLAIN, Encryption
from functions.manifests.fingerprint import fingerprint
from functions.manifests.installation import Installation
from functions.manifests.login import Credentials
from functions.manifests.network_policy import network_policy
from functions.manifests.services import client_service, headless_service
from functions.manifests.stateful_set import stateful_set


def owned_objects(
    cluster: ZooKeeperCluster,
    installation: Installation,
    credentials: Credentials,
    encryption: Encryption = PLAIN,
    *,
    is_plaintext_closed: bool = False,
) -> tuple[Manifest, ...]:
    """Return everything the cluster owns, in the order it is made, the StatefulSet last.

    The super user's Secret is not among them: its content is made once and never applied again.
    Each object carries the fingerprint of what was wanted, so that a wish that was dropped is
    noticed later.
    """
    objects: tuple[Manifest, ...] = (
        service_account(cluster),
        role_binding(cluster),
        config_map(cluster, encryption),
        *_policies(cluster, installation, is_plaintext_closed=is_plaintext_closed),
        headless_service(cluster),
        client_service(cluster),
        stateful_set(
            cluster, installation, credentials, config_hash(cluster, encryption), encryption
        ),
    )
    return tuple(with_fingerprint(manifest) for manifest in objects)


def _policies(
    cluster: ZooKeeperCluster, installation: Installation, *, is_plaintext_closed: bool
) -> list[Manifest]:
    if not cluster.spec.network_policy.enabled:
        return []
    return [network_policy(cluster, installation, is_plaintext_closed=is_plaintext_closed)]


def with_fingerprint(manifest: Manifest) -> Manifest:
    """Return the manifest with an annotation that tells this wish from any other."""
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), names.APPLIED_HASH: fingerprint(manifest)}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def owned_refs(cluster: ZooKeeperCluster) -> tuple[Ref, ...]:
    """Return the address of every object a cluster may own by name, the Secret included."""
    named: tuple[tuple[Kind, str], ...] = (
        (SERVICE_ACCOUNT, names.service_account_name(cluster)),
        (ROLE_BINDING, names.role_binding_name(cluster)),
        (SECRET, names.super_user_secret_name(cluster)),
        (CONFIG_MAP, names.config_map_name(cluster)),
        (NETWORK_POLICY, names.network_policy_name(cluster)),
        (SERVICE, names.headless_service_name(cluster)),
        (SERVICE, names.client_service_name(cluster)),
        (STATEFUL_SET, names.stateful_set_name(cluster)),
    )
    return tuple(Ref(kind, cluster.metadata.namespace, name) for kind, name in named)


def unwanted_refs(cluster: ZooKeeperCluster) -> tuple[Ref, ...]:
    """Return the address of each object a cluster may own but does not ask for."""
    if cluster.spec.network_policy.enabled:
        return ()
    return tuple(ref for ref in owned_refs(cluster) if ref.kind == NETWORK_POLICY)


def clusters_of(ref: Ref) -> tuple[Ref, ...]:
    """Return the clusters that would make or cause an object of that kind and name.

    Every name of ours begins with the cluster's, so the candidates are in the name itself and need
    not be looked for among all clusters; that they exist is for their reader to see.
    """
    if ref.kind == CLUSTER:
        return (ref,)
    named = [Ref(CLUSTER, ref.namespace, name) for name in _beginnings(ref)]
    return tuple(found for found in named if is_part_of(_named(found), ref))


def _beginnings(ref: Ref) -> list[str]:
    """Return what a name may begin with; that of a volume claim has its template's before it."""
    claimed = ref.name.partition("-")[2] if ref.kind == PERSISTENT_VOLUME_CLAIM else ref.name
    parts = claimed.split("-")
    return ["-".join(parts[:count]) for count in range(1, len(parts) + 1) if parts[count - 1]]


def _named(ref: Ref) -> ZooKeeperCluster:
    metadata = {"name": ref.name, "namespace": ref.namespace}
    return ZooKeeperCluster.parse({"metadata": metadata, "spec": {}})


def is_part_of(cluster: ZooKeeperCluster, ref: Ref) -> bool:
    """Whether an object of that kind and name is one this cluster makes or causes."""
    if ref.kind == POD:
        return names.ordinal_of(cluster, ref.name) is not None
    if ref.kind == PERSISTENT_VOLUME_CLAIM:
        return names.ordinal_of_claim(cluster, ref.name) is not None
    budget = Ref(POD_DISRUPTION_BUDGET, cluster.metadata.namespace, names.budget_name(cluster))
    return ref == budget or ref in owned_refs(cluster)
