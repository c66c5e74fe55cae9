"""Reading what a cluster's objects depend on beside its spec: what it does not use is not asked."""

from __future__ import annotations

from collections.abc import Mapping

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import CERTIFICATE, STATEFUL_SET, Ref
from functions.api.manifest import Manifest
from functions.manifests.monitoring import KINDS as MONITORING_KINDS
from functions.manifests.names import stateful_set_name
from functions.planning import encryption, login
from functions.planning.encryption import SeenTls, secret_names
from functions.planning.issuing import NOBODY, Issuing, certificate_refs
from functions.planning.login import SeenUsers
from functions.planning.monitoring import Monitoring, monitoring_refs
from functions.planning.reconciliation import Surroundings
from functions.planning.seen import SeenPod
from functions.planning.super_user import is_rotating, secret_ref
from functions.runtime.reading import read_pods, read_secrets
from functions.runtime.world import World

Pods = tuple[SeenPod, ...]


def read_surroundings(
    cluster: ZooKeeperCluster, owned: Mapping[Ref, Manifest], world: World
) -> Surroundings:
    """Return what was seen.

    The pods are read after the StatefulSet: what a pod of then runs, this template or one before
    it made.
    """
    at = Ref(STATEFUL_SET, cluster.metadata.namespace, stateful_set_name(cluster))
    stateful_set, secret = owned.get(at), owned.get(secret_ref(cluster))
    has_tls = encryption.is_concerned(cluster, stateful_set)
    has_users = login.is_concerned(cluster, stateful_set)
    is_changing = secret is not None and is_rotating(secret)
    pods = read_pods(cluster, world) if has_tls or has_users or is_changing else ()
    return Surroundings(
        world.settings.installation,
        world.fresh_password(),
        _monitoring(cluster, world),
        _tls(cluster, stateful_set, pods, world) if has_tls else encryption.NOTHING,
        _users(cluster, pods, world) if has_users else login.NOTHING,
        pods,
    )


def _monitoring(cluster: ZooKeeperCluster, world: World) -> Monitoring:
    """Return what of the Prometheus operator there is; nothing more is asked where it is not."""
    served = frozenset(kind for kind in MONITORING_KINDS if world.kube.serves(kind))
    found = ((ref, world.kube.get(ref)) for ref in monitoring_refs(cluster, served))
    return Monitoring(served, {ref: it for ref, it in found if it is not None})


def _tls(
    cluster: ZooKeeperCluster, stateful_set: Manifest | None, pods: Pods, world: World
) -> SeenTls:
    wanted = sorted(secret_names(cluster, stateful_set, pods))
    return SeenTls(read_secrets(cluster, wanted, world), pods, _issuing(cluster, world))


def _issuing(cluster: ZooKeeperCluster, world: World) -> Issuing:
    """Return what cert-manager was asked for; one that is asked no more may have been."""
    if not world.kube.serves(CERTIFICATE):
        return NOBODY
    found = {ref: world.kube.get(ref) for ref in certificate_refs(cluster)}
    return Issuing(is_served=True, seen={ref: it for ref, it in found.items() if it is not None})


def _users(cluster: ZooKeeperCluster, pods: Pods, world: World) -> SeenUsers:
    asked = [user.secret_name for user in cluster.spec.login.users]
    return SeenUsers(read_secrets(cluster, asked, world), pods)
