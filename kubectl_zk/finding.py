"""The cluster, backup or restore that a person named; else a sentence with the names there are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from functions.api.backup import ZooKeeperBackup
from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import InvalidSpec
from functions.api.instance import Instance
from functions.api.kinds import BACKUP, CLUSTER, RESTORE, Kind, Ref
from functions.api.manifest import Manifest
from functions.api.restore import ZooKeeperRestore
from functions.planning.instance import find_cluster
from kubectl_zk.problem import Problem
from kubectl_zk.session import Session

T = TypeVar("T")


def cluster(session: Session, name: str) -> ZooKeeperCluster:
    """Return the cluster of that name; raises Problem with those there are."""
    return _named(session, CLUSTER, name, _read_cluster)


def backup(session: Session, name: str) -> ZooKeeperBackup:
    return _named(session, BACKUP, name, ZooKeeperBackup.parse)


def restore(session: Session, name: str) -> ZooKeeperRestore:
    return _named(session, RESTORE, name, ZooKeeperRestore.parse)


def clusters(session: Session, namespace: str | None) -> list[ZooKeeperCluster]:
    """Return every cluster of a namespace (None: of all)."""
    return [_read_cluster(found) for found in session.kube.list(CLUSTER, namespace)]


def backups_of(session: Session, of: ZooKeeperCluster) -> list[ZooKeeperBackup]:
    """Return the backups that copy from this cluster."""
    found = _all(session, BACKUP, ZooKeeperBackup.parse)
    return [it for it in found if _means(it.spec.source, of)]


def restores_of(session: Session, of: ZooKeeperCluster) -> list[ZooKeeperRestore]:
    """Return the restores that go to this cluster."""
    found = _all(session, RESTORE, ZooKeeperRestore.parse)
    name = of.metadata.name
    return [it for it in found if it.status.cluster == name or _means(it.spec.target, of)]


def _means(instance: Instance, of: ZooKeeperCluster) -> bool:
    return isinstance(find_cluster(instance, "", (of,)), ZooKeeperCluster)


def _named(session: Session, kind: Kind, name: str, parse: Callable[[Manifest], T]) -> T:
    found = session.kube.get(Ref(kind, session.namespace, name))
    if found is not None:
        return parse(found)
    there = [m["metadata"]["name"] for m in session.kube.list(kind, session.namespace)]
    raise Problem(_no_such(kind, name, session.namespace, sorted(there)))


def _no_such(kind: Kind, name: str, namespace: str, there: Sequence[str]) -> str:
    missing = f"There is no {kind.name} {name} in namespace {namespace}"
    if there:
        return f"{missing}. There is: {', '.join(there)}."
    return f"{missing}, nor any other: choose a namespace with -n."


def _read_cluster(manifest: Manifest) -> ZooKeeperCluster:
    """Return the cluster, without its spec where that cannot be read by this version."""
    try:
        return ZooKeeperCluster.parse(manifest)
    except InvalidSpec:
        return ZooKeeperCluster.parse({**manifest, "spec": {}})


def _all(session: Session, kind: Kind, parse: Callable[[Manifest], T]) -> list[T]:
    found: list[T] = []
    for manifest in session.kube.list(kind, session.namespace):
        with contextlib.suppress(InvalidSpec):
            found.append(parse(manifest))
    return found
