"""Looking at one object as often as it takes: read, plan, apply, and again after a conflict."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import Conflict, InvalidSpec, Refused
from functions.api.kinds import Ref
from functions.api.manifest import Manifest
from functions.api.resource import Unread
from functions.runtime.apply import Unfinished, apply
from functions.runtime.logs import bound
from functions.runtime.refusals import Refusal
from functions.runtime.turns import Turns
from functions.runtime.world import World

log = logging.getLogger(__name__)

TRIES_ON_CONFLICT = 5
MOST_LOOKS = 12

S = TypeVar("S")
U = TypeVar("U", ZooKeeperCluster, Unread)


@dataclass(frozen=True, slots=True)
class Work(Generic[S, U]):
    """What a function does with one object, and how it reads it."""

    parse: Callable[[Manifest], S]
    unread: Callable[[Manifest], U]
    refusal: Refusal[U] | None
    do: Callable[[S, World], None]
    turns: Turns = field(default_factory=Turns)


def work_on(ref: Ref, work: Work[S, U], world: World, arrived: float | None = None) -> None:
    """Read, plan and apply; go on while there is more to do, look again after a conflict.

    Not at all when a look that is finished began after `arrived` (seconds of `time.monotonic`).

    Both are bounded: what is left after that is told to the sender, who delivers again. What a
    delivery leaves to one that waits (`Turns`) is done by that one.
    """
    conflicts = 0
    for _ in range(MOST_LOOKS):
        try:
            with work.turns.of(ref, arrived) as is_mine:
                if is_mine:
                    _look(ref, work, world)
        except Unfinished:
            continue
        except Conflict:
            conflicts += 1
            if conflicts == TRIES_ON_CONFLICT:
                raise
            time.sleep(random.uniform(0, world.settings.conflict_pause * conflicts))
        else:
            return
    raise Conflict(f"{ref.namespace}/{ref.name} needs more looks than one delivery takes.")


def _look(ref: Ref, work: Work[S, U], world: World) -> None:
    manifest = world.kube.get(ref)
    if manifest is None:
        return  # It was deleted after the event was sent.
    with bound(change=_change(manifest)):
        try:
            work.do(work.parse(manifest), world)
        except (InvalidSpec, Refused) as error:
            log.warning("refused", extra={"why": str(error)})
            if work.refusal is not None:
                told = work.unread(manifest)
                apply(work.refusal(told, error, world.now()), told, world)


def _change(manifest: Manifest) -> str:
    """Return the one id of all that is done for a change of the spec, whatever event it follows.

    A change takes many events: what one function makes wakes the next. The API server counts them.
    """
    metadata = manifest["metadata"]
    return f"{metadata.get('uid', '')}/{metadata.get('generation', 0)}"
