"""Carrying out a plan: one `match` over the step types, in the plan's order.

It stops at the first step that fails; the event is delivered again and the plan is made anew from
what is there then.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from typing import assert_never

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import AlreadyExists, Conflict, Denied, FieldConflict, NotServed
from functions.api.kinds import EVENT
from functions.api.manifest import Manifest, ref_of
from functions.api.resource import Resource
from functions.planning.status import timestamp
from functions.planning.steps import (
    Announce,
    ApplyObject,
    ApplyToGeneration,
    ApplyWhereServed,
    CreateObject,
    DeleteObject,
    EvictPod,
    LookAgain,
    Plan,
    Reconfigure,
    ReplaceObject,
    Step,
    WriteStatus,
)
from functions.runtime.metrics import STEPS
from functions.runtime.reconfigure import reconfigure
from functions.runtime.world import World

log = logging.getLogger(__name__)

# The field managers of this product: a conflict between two of them is a bug, not an edit.
OURS = frozenset(
    {"reconcile-cluster", "observe", "scale", "roll", "backup", "restore", "zookeeper-operation"}
)


# How often a status may change while an apply that does not mind it is on its way.
TRIES_ON_NEW_STATUS = 5


class TwoWriters(Exception):
    """Two of our functions want different values for one field: a bug."""


class Unfinished(Conflict):
    """The plan has more steps, which depend on what the first ones made."""


def apply(plan: Plan, of: Resource, world: World) -> None:
    """Carry out every step of a plan for one object; raises what the first failing one raises."""
    for step in plan:
        _apply_step(step, of, world)
        STEPS.add(type(step).__name__)
        log.info("step", extra={"step": describe(step)})


def _apply_step(  # noqa: C901, PLR0915 - one line per step
    step: Step, of: Resource, world: World
) -> None:
    match step:
        case ApplyObject():
            apply_object(step, world)
        case ApplyToGeneration():
            _apply_to_generation(step, world)
        case ApplyWhereServed(manifest=manifest, manager=manager):
            with contextlib.suppress(NotServed):
                apply_object(ApplyObject(manifest, manager), world)
        case WriteStatus(manifest=manifest, manager=manager):
            apply_object(ApplyObject(manifest, manager), world, subresource="status")
        case ReplaceObject(manifest=manifest, manager=manager):
            world.kube.replace(manifest, manager=manager)
        case CreateObject(manifest=manifest, manager=manager):
            with contextlib.suppress(AlreadyExists):
                world.kube.create(manifest, manager=manager)
        case DeleteObject(ref=ref, uid=uid):
            world.kube.delete(ref, uid=uid)
        case Reconfigure():
            assert isinstance(of, ZooKeeperCluster), "only a cluster has a member list"
            reconfigure(step, of, world)
        case EvictPod(ref=ref, uid=uid):
            world.kube.evict(ref, uid=uid)
        case Announce():
            announce(step, of, world)
        case LookAgain():
            raise Unfinished("what was made has to be seen first")
        case _:
            assert_never(step)


def apply_object(step: ApplyObject, world: World, *, subresource: str = "") -> None:
    """Apply; take back fields that others edited, never those of our own functions."""
    manifest, manager = step.manifest, step.manager
    try:
        world.kube.apply(manifest, manager=manager, subresource=subresource)
    except FieldConflict as conflict:
        if ours := sorted((conflict.managers & OURS) - {manager} - step.takes_over):
            raise TwoWriters(
                f"{manager} and {', '.join(ours)} both write: {conflict}"
            ) from conflict
        world.kube.apply(manifest, manager=manager, subresource=subresource, force=True)


def _apply_to_generation(step: ApplyToGeneration, world: World) -> None:
    """Apply over whatever became of the status; raises Conflict when the spec is another one."""
    ref = ref_of(step.manifest)
    for _ in range(TRIES_ON_NEW_STATUS):
        found = world.kube.get(ref)
        if found is None or found["metadata"].get("generation") != step.generation:
            break
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        manifest = {**step.manifest, "metadata": step.manifest["metadata"] | version}
        try:
            return apply_object(ApplyObject(manifest, step.manager), world)
        except Conflict:
            continue
    raise Conflict(f"{ref.kind.name} {ref.namespace}/{ref.name} changed since it was read.")


def announce(step: Announce, of: Resource, world: World) -> None:
    """Make a Kubernetes Event; the same news of the same generation is told once a transition.

    Where a policy or a quota allows no Events, the steps that they tell of are taken all the same.
    """
    with contextlib.suppress(AlreadyExists, Denied):
        world.kube.create(_event(step, of, timestamp(world.now())), manager="zookeeper-functions")


def _event(step: Announce, of: Resource, now: str) -> Manifest:
    metadata = of.metadata
    told = (
        metadata.uid,
        step.type,
        step.reason,
        step.message,
        step.since,
        str(metadata.generation),
    )
    name = hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.name,
        "metadata": {"name": f"{metadata.name}.{name}", "namespace": metadata.namespace},
        "involvedObject": {
            "apiVersion": of.kind.api_version,
            "kind": of.kind.name,
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        },
        "type": step.type,
        "reason": step.reason,
        "message": step.message[:1024],
        "source": {"component": "zookeeper-functions"},
        "reportingComponent": "zookeeper-functions",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


def describe(step: Step) -> str:  # noqa: C901 - one line per step
    """Return one step in words, for the log and for `python -m functions render`."""
    match step:
        case (
            ApplyObject(manifest=manifest, manager=manager)
            | ApplyToGeneration(manifest=manifest, manager=manager)
            | ApplyWhereServed(manifest=manifest, manager=manager)
        ):
            return f"apply {_named(manifest)} as {manager}"
        case WriteStatus(manifest=manifest, manager=manager):
            return f"write status of {_named(manifest)} as {manager}"
        case ReplaceObject(manifest=manifest):
            return f"replace {_named(manifest)}"
        case CreateObject(manifest=manifest):
            return f"create {_named(manifest)}"
        case DeleteObject(ref=ref):
            return f"delete {ref.kind.name} {ref.namespace}/{ref.name}"
        case EvictPod(ref=ref):
            return f"evict {ref.kind.name} {ref.namespace}/{ref.name}"
        case Announce(type=kind, reason=reason, message=message):
            return f"announce {kind} {reason}: {message}"
        case Reconfigure(joining=joining, leaving=leaving):
            return f"reconfigure: {joining or f'take out server {leaving}'}"
        case LookAgain():
            return "look again"
        case _:
            assert_never(step)


def _named(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {metadata['namespace']}/{metadata['name']}"
