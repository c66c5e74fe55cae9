"""resync: makes up for events that never came, by sending one per object that needs a look.

It is woken by PingSources and changes nothing. With `{"scope": "all"}` every cluster, backup
and restore gets an event, otherwise only those that are not settled; an idle system costs a few
list requests.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from functions.api.errors import InvalidEvent, InvalidSpec
from functions.api.kinds import BACKUP, CLUSTER, RESTORE, Ref
from functions.api.manifest import Manifest, ref_of
from functions.api.restore import ZooKeeperRestore
from functions.planning.exposition import exposition
from functions.planning.restores.decision import is_settled
from functions.planning.standing import families_of
from functions.runtime.events import PING_EVENT, Event, reference_event
from functions.runtime.function import event_function
from functions.runtime.metrics import STANDING
from functions.runtime.resync_backups import backups_to_look_at
from functions.runtime.resync_clusters import clusters_to_look_at
from functions.runtime.traces import carried
from functions.runtime.turns import Turns
from functions.runtime.world import World

log = logging.getLogger(__name__)

SENT_AT_ONCE = 8

_turns = Turns()


@event_function
def resync(event: Event, world: World) -> None:
    if event.type != PING_EVENT:
        raise InvalidEvent(f"resync takes events of type {PING_EVENT}, not {event.type!r}.")
    is_all = isinstance(event.data, dict) and event.data.get("scope") == "all"
    # Ticks that come faster than all is looked at do not add up.
    with _turns.of(is_all) as is_mine:
        if is_mine:
            _send(_to_look_at(world, is_all), world)


def _to_look_at(world: World, is_all: bool) -> Iterable[tuple[Ref, str]]:
    found, restores, backups = _listed(world)
    STANDING.show(exposition(families_of(found, backups, restores, world.now())))
    yield from clusters_to_look_at(found, world, is_all)
    yield from _restores(restores, is_all)
    yield from backups_to_look_at(backups, world, is_all)


def _send(asking: Iterable[tuple[Ref, str]], world: World) -> None:
    """Send an event about each: one after the other, a thousand would outlast the delivery."""
    trace = carried()

    def send(told: tuple[Ref, str]) -> tuple[Ref, str]:
        attributes, data = reference_event(told[0])
        world.emit({**attributes, **trace}, data)
        return told

    with ThreadPoolExecutor(SENT_AT_ONCE) as threads:
        for ref, why in threads.map(send, asking):
            log.info("sent", extra={"cluster": f"{ref.namespace}/{ref.name}", "why": why})


def _listed(world: World) -> tuple[list[Manifest], list[Manifest], list[Manifest]]:
    """Return the clusters, restores and backups, of the one namespace where there is only one."""
    namespace = world.settings.listed
    kinds = (CLUSTER, RESTORE, BACKUP)
    clusters, restores, backups = (world.kube.list(kind, namespace) for kind in kinds)
    return clusters, restores, backups


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
