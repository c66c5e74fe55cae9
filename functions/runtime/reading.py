"""Reading the world for a planner: uncached, and parsed into values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import Unavailable
from functions.api.kinds import (
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_DISRUPTION_BUDGET,
    SECRET,
    STATEFUL_SET,
    Ref,
)
from functions.api.manifest import Manifest
from functions.api.ports import AGENT_PORT
from functions.manifests import names
from functions.manifests.owned import owned_refs
from functions.planning.ensemble import (
    DiskReport,
    Door,
    EnsembleConfig,
    SeenServers,
    ServerStats,
    leader_of,
)
from functions.planning.observation import Answer
from functions.planning.protection import SeenBudget, seen_budget
from functions.planning.seen import (
    SeenClaim,
    SeenPod,
    SeenStatefulSet,
    seen_claim,
    seen_pod,
    seen_stateful_set,
)
from functions.runtime.world import World

T = TypeVar("T")


def read_owned(cluster: ZooKeeperCluster, world: World) -> dict[Ref, Manifest]:
    """Return the owned objects that exist, by address."""
    found = ((ref, world.kube.get(ref)) for ref in owned_refs(cluster))
    return {ref: manifest for ref, manifest in found if manifest is not None}


def read_stateful_set(cluster: ZooKeeperCluster, world: World) -> SeenStatefulSet | None:
    ref = Ref(STATEFUL_SET, cluster.metadata.namespace, names.stateful_set_name(cluster))
    found = world.kube.get(ref)
    return seen_stateful_set(found) if found is not None else None


def read_pods(cluster: ZooKeeperCluster, world: World) -> tuple[SeenPod, ...]:
    """Return the cluster's pods by their labels, in its own namespace only (seed defect G2)."""
    namespace = cluster.metadata.namespace
    pods = [seen_pod(p) for p in world.kube.list(POD, namespace, names.selector(cluster))]
    return tuple(pod for pod in pods if names.ordinal_of(cluster, pod.name) is not None)


def read_secrets(
    cluster: ZooKeeperCluster, secret_names: Iterable[str], world: World
) -> Mapping[str, Manifest]:
    """Return the Secrets of these names beside the cluster, as far as they exist."""
    namespace = cluster.metadata.namespace
    found = {name: world.kube.get(Ref(SECRET, namespace, name)) for name in secret_names}
    return {name: secret for name, secret in found.items() if secret is not None}


def read_claims(cluster: ZooKeeperCluster, world: World) -> tuple[SeenClaim, ...]:
    namespace = cluster.metadata.namespace
    found = world.kube.list(PERSISTENT_VOLUME_CLAIM, namespace, names.selector(cluster))
    return tuple(seen_claim(claim) for claim in found)


def read_budget(cluster: ZooKeeperCluster, world: World) -> SeenBudget | None:
    ref = Ref(POD_DISRUPTION_BUDGET, cluster.metadata.namespace, names.budget_name(cluster))
    found = world.kube.get(ref)
    return seen_budget(found) if found is not None else None


def count_nodes(world: World) -> int | None:
    """Return how many nodes take pods, or None where the function may not ask (one namespace)."""
    if world.settings.namespace:
        return None
    try:
        nodes = world.kube.list(NODE, None)
    except Unavailable:
        return None
    return sum(not node.get("spec", {}).get("unschedulable", False) for node in nodes)


def ask_servers(
    cluster: ZooKeeperCluster, pods: tuple[SeenPod, ...], world: World, port: int = 0
) -> dict[str, Answer]:
    """Return what every pod's server says of itself, all asked at once; `port` 0: the clients'."""
    asked = port or cluster.spec.config.client_port
    return _of_each(pods, lambda pod: _ask(pod, port_to_ask(pod, asked), world), world)


def port_to_ask(pod: SeenPod, port: int) -> int:
    """Return where a server is looked at: one that takes clients by TLS alone, by its agent."""
    return AGENT_PORT if pod.encryption.is_plaintext_closed else port


def read_servers(
    cluster: ZooKeeperCluster, pods: tuple[SeenPod, ...], world: World, port: int = 0
) -> SeenServers:
    """Return what the servers say of themselves, by id, and the list the leader has committed."""
    asked = port or cluster.spec.config.client_port
    answers = ask_servers(cluster, pods, world, asked)
    ids = {pod.name: names.server_id(cluster, pod.name) for pod in pods}
    stats = {ids[name]: it for name, it in answers.items() if isinstance(it, ServerStats)}
    addresses = {ids[pod.name]: pod.address for pod in pods}
    config = _committed_list(stats, {ids[pod.name]: pod for pod in pods}, asked, world)
    return SeenServers(stats, addresses, config, _doors(cluster, pods))


def _doors(cluster: ZooKeeperCluster, pods: tuple[SeenPod, ...]) -> dict[int, Door]:
    """Return where servers take a session that take clients by TLS alone.

    What was started during a restore has no port for TLS until it is rolled. Once spec.tls is gone
    nobody knows the Secret to trust.
    """
    return {
        names.server_id(cluster, pod.name): Door(
            pod.encryption.client_port if _is_open(cluster, pod) else 0,
            names.pod_domain(cluster, names.server_id(cluster, pod.name) - 1),
        )
        for pod in pods
        if pod.encryption.is_plaintext_closed
    }


def _is_open(cluster: ZooKeeperCluster, pod: SeenPod) -> bool:
    return cluster.spec.tls.client is not None and pod.opened_after == (
        cluster.status.restored or ""
    )


def read_disks(
    cluster: ZooKeeperCluster, pods: tuple[SeenPod, ...], servers: SeenServers, world: World
) -> dict[int, DiskReport]:
    """Return what volumes hold, by id: all while nobody leads, else those of silent servers."""
    answering = servers.stats.keys() if servers.leader is not None else ()
    ids = {pod.name: names.server_id(cluster, pod.name) for pod in pods}
    asked = [pod for pod in pods if ids[pod.name] not in answering]
    reports = _of_each(asked, lambda pod: _disk(pod, world), world)
    return {ids[name]: report for name, report in reports.items() if report is not None}


def _of_each(pods: Sequence[SeenPod], ask: Callable[[SeenPod], T], world: World) -> dict[str, T]:
    """Return the answer of each pod that has an address, by its name, all asked at once."""
    reachable = [pod for pod in pods if pod.address]
    at_once = min(world.settings.servers_at_once, len(reachable))
    if at_once <= 1:
        return {pod.name: ask(pod) for pod in reachable}
    with ThreadPoolExecutor(at_once) as threads:
        return dict(zip((pod.name for pod in reachable), threads.map(ask, reachable), strict=True))


def _disk(pod: SeenPod, world: World) -> DiskReport | None:
    try:
        return world.zookeeper.disk(pod.address)
    except Unavailable:
        return None


def _committed_list(
    stats: dict[int, ServerStats], pods: dict[int, SeenPod], port: int, world: World
) -> EnsembleConfig | None:
    """Ask the leader alone: a follower may still have an older list."""
    leader = leader_of(stats)
    if leader is None:
        return None
    try:
        return world.zookeeper.config(pods[leader].address, port_to_ask(pods[leader], port))
    except Unavailable:
        return None


def _ask(pod: SeenPod, port: int, world: World) -> Answer:
    try:
        return world.zookeeper.stats(pod.address, port)
    except Unavailable as error:
        return f"does not answer: {error}"
