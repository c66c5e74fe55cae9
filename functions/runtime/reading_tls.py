"""Reading what a cluster's TLS depends on: its Secrets, who issues them, and what its pods run."""

from __future__ import annotations

from collections.abc import Mapping

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import CERTIFICATE, STATEFUL_SET, Ref
from functions.api.manifest import Manifest
from functions.manifests.names import stateful_set_name
from functions.planning.encryption import NOTHING, SeenTls, is_concerned, secret_names
from functions.planning.issuing import NOBODY, Issuing, certificate_refs
from functions.runtime.reading import read_pods, read_secrets
from functions.runtime.world import World


def read_tls(cluster: ZooKeeperCluster, owned: Mapping[Ref, Manifest], world: World) -> SeenTls:
    """Return what was seen; a cluster without TLS costs no request.

    The pods are read after the StatefulSet: what a pod of then runs, this template or one before
    it made.
    """
    namespace = cluster.metadata.namespace
    stateful_set = owned.get(Ref(STATEFUL_SET, namespace, stateful_set_name(cluster)))
    if not is_concerned(cluster, stateful_set):
        return NOTHING
    pods = read_pods(cluster, world)
    wanted = sorted(secret_names(cluster, stateful_set, pods))
    secrets = read_secrets(cluster, wanted, world)
    return SeenTls(secrets, pods, _read_issuing(cluster, world))


def _read_issuing(cluster: ZooKeeperCluster, world: World) -> Issuing:
    """Return what cert-manager was asked for; one that is asked no more may have been."""
    if not world.kube.serves(CERTIFICATE):
        return NOBODY
    found = {ref: world.kube.get(ref) for ref in certificate_refs(cluster)}
    return Issuing(is_served=True, seen={ref: it for ref, it in found.items() if it is not None})
