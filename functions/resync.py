"""resync: makes up for events that never came, by sending one per object that needs a look.

It is woken by PingSources and changes nothing. With `{"scope": "all"}` every cluster, backup
and restore gets an event, otherwise only those that are not settled; an idle system costs a few
list requests.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import InvalidEvent, InvalidSpec
from functions.api.kinds import (
    BACKUP,
    CLUSTER,
    CONFIG_MAP,
    NETWORK_POLICY,
    POD,
    POD_DISRUPTION_BUDGET,
    RESTORE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Ref,
)
from functions.api.manifest import Manifest, ref_of
from functions.api.restore import ZooKeeperRestore
from functions.manifests.names import MANAGED
from functions.planning.exposition import exposition
from functions.planning.restores.decision import is_settled
from functions.planning.seen import SeenPod, seen_pod
from functions.planning.settled import looked_at, unsettled
from functions.planning.standing import families_of
from functions.runtime.events import PING_EVENT, Event, reference_event
from functions.runtime.function import event_function
from functions.runtime.metrics import STANDING
from functions.runtime.resync_backups import backups_to_look_at
from functions.runtime.traces import carried
from functions.runtime.world import World

log = logging.getLogger(__name__)

OWNED_KINDS = (
    SERVICE_ACCOUNT, ROLE_BINDING, CONFIG_MAP, NETWORK_POLICY, SERVICE, STATEFUL_SET,
    POD_DISRUPTION_BUDGET,
)  # fmt: skip


@event_function
def resync(event: Event, world: World) -> None:
    if event.type != PING_EVENT:
        raise InvalidEvent(f"resync takes events of type {PING_EVENT}, not {event.type!r}.")
    is_all = isinstance(event.data, dict) and event.data.get("scope") == "all"
    found, restores, backups = _listed(world)
    STANDING.show(exposition(families_of(found, backups, restores, world.now())))
    asking = _all(found) if is_all else _unsettled(found, world)
    others = (*_restores(restores, is_all), *backups_to_look_at(backups, world, is_all))
    for ref, why in (*asking, *others):
        attributes, data = reference_event(ref)
        world.emit({**attributes, **carried()}, data)
        log.info("sent", extra={"cluster": f"{ref.namespace}/{ref.name}", "why": why})


def _listed(world: World) -> tuple[list[Manifest], list[Manifest], list[Manifest]]:
    """Return the clusters, restores and backups, of the one namespace where there is only one."""
    namespace = world.settings.listed
    kinds = (CLUSTER, RESTORE, BACKUP)
    clusters, restores, backups = (world.kube.list(kind, namespace) for kind in kinds)
    return clusters, restores, backups


def _all(found: list[Manifest]) -> Iterable[tuple[Ref, str]]:
    return [(ref_of(manifest), "all") for manifest in found]


def _unsettled(found: list[Manifest], world: World) -> Iterable[tuple[Ref, str]]:
    if not found:
        return
    pods = _pods(world)
    owned = {
        ref_of(manifest): manifest
        for kind in OWNED_KINDS
        for manifest in world.kube.list(kind, world.settings.listed, MANAGED)
    }
    for manifest in found:
        if why := _why(manifest, pods, owned, world):
            yield ref_of(manifest), why


def _restores(found: list[Manifest], is_all: bool) -> Iterable[tuple[Ref, str]]:
    """Return the restores that are not over; their programs' pods make no events."""
    return [
        (ref_of(manifest), "a restore is under way")
        for manifest in found
        if is_all or not _is_settled(manifest)
    ]


def _is_settled(manifest: Manifest) -> bool:
    try:
        return is_settled(ZooKeeperRestore.parse(manifest))
    except InvalidSpec:
        return True  # Only an edit, which makes an event, changes that.


def _pods(world: World) -> dict[tuple[str, str], list[SeenPod]]:
    """Return the pods of every cluster, by (namespace, cluster)."""
    pods: dict[tuple[str, str], list[SeenPod]] = defaultdict(list)
    for pod in world.kube.list(POD, world.settings.listed, MANAGED):
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
