"""Reading what a cluster's users depend on: their Secrets, and which users its pods know."""

from __future__ import annotations

from collections.abc import Mapping

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import STATEFUL_SET, Ref
from functions.api.manifest import Manifest
from functions.manifests.names import stateful_set_name
from functions.planning.login import NOTHING, SeenUsers, is_concerned
from functions.runtime.reading import read_pods, read_secrets
from functions.runtime.world import World


def read_users(cluster: ZooKeeperCluster, owned: Mapping[Ref, Manifest], world: World) -> SeenUsers:
    """Return what was seen; a cluster without users costs no request.

    The pods are read after the StatefulSet: what a pod of then knows, this template or one before
    it said.
    """
    namespace = cluster.metadata.namespace
    stateful_set = owned.get(Ref(STATEFUL_SET, namespace, stateful_set_name(cluster)))
    if not is_concerned(cluster, stateful_set):
        return NOTHING
    asked = [user.secret_name for user in cluster.spec.login.users]
    return SeenUsers(read_secrets(cluster, asked, world), read_pods(cluster, world))
