"""Which clusters need a look: a hundred at a time, with all that belongs to those.

What a function holds of the world at once then does not grow with how many clusters there are, and
neither does the number of requests for each of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import InvalidSpec
from functions.api.kinds import (
    CONFIG_MAP,
    NETWORK_POLICY,
    POD,
    POD_DISRUPTION_BUDGET,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Kind,
    Ref,
)
from functions.api.manifest import Manifest, Selector, ref_of
from functions.manifests.names import MANAGED
from functions.planning.seen import SeenPod, seen_pod
from functions.planning.settled import looked_at, unsettled
from functions.runtime.world import World

OWNED_KINDS = (
    SERVICE_ACCOUNT, ROLE_BINDING, CONFIG_MAP, NETWORK_POLICY, SERVICE, STATEFUL_SET,
    POD_DISRUPTION_BUDGET,
)  # fmt: skip
# Their names must fit into the address of a request, which proxies take up to 8 KiB of.
AT_A_TIME = 100


def clusters_to_look_at(
    found: list[Manifest], world: World, is_all: bool
) -> Iterator[tuple[Ref, str]]:
    """Return the clusters that are not settled, or all, each with the reason."""
    if is_all:
        yield from ((ref_of(manifest), "all") for manifest in found)
        return
    for begin in range(0, len(found), AT_A_TIME):
        some = found[begin : begin + AT_A_TIME]
        yield from _unsettled(some, _labels(some, len(found)), world)


def _labels(some: list[Manifest], all_of_them: int) -> Selector:
    """Return what selects that which belongs to these clusters; of few all is asked for."""
    if all_of_them <= AT_A_TIME:
        return MANAGED
    return {**MANAGED, "instance": tuple(manifest["metadata"]["name"] for manifest in some)}


def _unsettled(some: list[Manifest], labels: Selector, world: World) -> Iterable[tuple[Ref, str]]:
    pods = _pods(labels, world)
    owned = {
        ref_of(manifest): manifest
        for kind in OWNED_KINDS
        for manifest in _list(kind, labels, world)
    }
    for manifest in some:
        if why := _why(manifest, pods, owned, world):
            yield ref_of(manifest), why


def _list(kind: Kind, labels: Selector, world: World) -> list[Manifest]:
    return world.kube.list(kind, world.settings.listed, labels)


def _pods(labels: Selector, world: World) -> dict[tuple[str, str], list[SeenPod]]:
    """Return the pods of every cluster, by (namespace, cluster)."""
    pods: dict[tuple[str, str], list[SeenPod]] = defaultdict(list)
    for pod in _list(POD, labels, world):
        metadata = pod["metadata"]
        pods[metadata["namespace"], metadata["labels"].get("instance", "")].append(seen_pod(pod))
    return pods


def _why(
    manifest: Manifest,
    pods: dict[tuple[str, str], list[SeenPod]],
    owned: dict[Ref, Manifest],
    world: World,
) -> str:
    try:
        cluster = ZooKeeperCluster.parse(manifest)
    except InvalidSpec:
        return ""  # Its condition says so; only an edit, which makes an event, changes that.
    mine = {ref: owned[ref] for ref in looked_at(cluster) if ref in owned}
    own_pods = pods.get((cluster.metadata.namespace, cluster.metadata.name), [])
    return unsettled(cluster, own_pods, mine, world.settings.installation)
