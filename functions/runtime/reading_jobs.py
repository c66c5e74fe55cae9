"""Reading what a backup or a restore is about: clusters, restores, its own Jobs with their pods."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import InvalidSpec
from functions.api.kinds import CLUSTER, JOB, POD, RESTORE, Kind
from functions.api.manifest import Manifest
from functions.api.resource import Resource
from functions.api.restore import ZooKeeperRestore
from functions.manifests.job_names import selector
from functions.planning.jobs import SeenJob, seen_jobs
from functions.runtime.world import World

T = TypeVar("T")


def read_namespace_clusters(namespace: str, world: World) -> tuple[ZooKeeperCluster, ...]:
    """Return the clusters of a namespace; one whose spec cannot be followed is none."""
    return _parsed(CLUSTER, ZooKeeperCluster.parse, namespace, world)


def read_namespace_restores(namespace: str, world: World) -> tuple[ZooKeeperRestore, ...]:
    """Return the restores of a namespace; one whose spec cannot be followed is none."""
    return _parsed(RESTORE, ZooKeeperRestore.parse, namespace, world)


def _parsed(
    kind: Kind, parse: Callable[[Manifest], T], namespace: str, world: World
) -> tuple[T, ...]:
    found: list[T] = []
    for manifest in world.kube.list(kind, namespace):
        with contextlib.suppress(InvalidSpec):
            found.append(parse(manifest))
    return tuple(found)


def read_jobs(of: Resource, world: World) -> tuple[SeenJob, ...]:
    """Return every Job with the labels of `of`, whoever it belongs to, and what its pods said."""
    namespace, labels = of.metadata.namespace, selector(of)
    jobs = world.kube.list(JOB, namespace, labels)
    # Pods after Jobs: a Job that is seen as complete has all its last words in place.
    pods = world.kube.list(POD, namespace, labels) if jobs else []
    return seen_jobs(jobs, pods)
