"""How every object stands, as numbers for Prometheus: what is on their status, and nothing more.

`resync` reads all objects again and again anyway and is the one function that always runs, so it
tells this. Whoever watches by Prometheus needs nothing else: no exporter of custom resources, and
no right to read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from functions.api.manifest import Manifest
from functions.planning.exposition import Family, Sample, gauge

Labels = Mapping[str, str]
Told = tuple[float, Labels]


def families_of(
    clusters: Sequence[Manifest],
    backups: Sequence[Manifest],
    restores: Sequence[Manifest],
    now: datetime,
) -> tuple[Family, ...]:
    """Return what is to be said of all objects, and when they were looked at."""
    looked = gauge(
        "zookeeper_resync_seconds", "When all objects were read last, in Unix time.",
        (now.timestamp(), {}),
    )  # fmt: skip
    return (looked, *_clusters(clusters), *_backups(backups), *_restores(restores))


def _clusters(found: Sequence[Manifest]) -> tuple[Family, ...]:
    return (
        _each("zookeeper_cluster_servers", "How many servers the spec asks for.", found, _servers),
        _each(
            "zookeeper_cluster_ready_servers", "How many servers serve in a quorum.", found, _ready
        ),
        _each(
            "zookeeper_cluster_operation_start_seconds",
            "When the step began that is under way, in Unix time.",
            found,
            _operation,
        ),
        _conditions("zookeeper_cluster_condition", found),
    )


def _backups(found: Sequence[Manifest]) -> tuple[Family, ...]:
    return (
        _each(
            "zookeeper_backup_last_success_seconds",
            "When the newest backup was complete, in Unix time.",
            found,
            _last_success,
        ),
        _each("zookeeper_backup_failures", "How many runs failed since then.", found, _failures),
        _each("zookeeper_backup_size_bytes", "The size of the newest backup.", found, _size),
        _conditions("zookeeper_backup_condition", found),
    )


def _restores(found: Sequence[Manifest]) -> tuple[Family, ...]:
    return (
        _each(
            "zookeeper_restore_step_start_seconds",
            "When the restore's step began, in Unix time.",
            found,
            _step,
        ),
    )


def _each(
    name: str,
    help: str,
    found: Iterable[Manifest],
    look: Callable[[Manifest], Iterable[Told]],
) -> Family:
    told = (
        Sample(value, {**_identity(manifest), **labels})
        for manifest in found
        for value, labels in look(manifest)
    )
    return Family(name, "gauge", help, tuple(told))


def _identity(manifest: Manifest) -> Labels:
    """Return the labels that name an object: by its kind's short name, which nobody else uses."""
    metadata = manifest["metadata"]
    label = f"zk{manifest['kind'].removeprefix('ZooKeeper').lower()}"
    return {"namespace": metadata["namespace"], label: metadata["name"]}


def _conditions(name: str, found: Iterable[Manifest]) -> Family:
    help = "Always 1: the status and the reason are among the labels."
    return _each(name, help, found, _condition)


def _condition(manifest: Manifest) -> Iterable[Told]:
    for seen in _status(manifest).get("conditions") or ():
        labels = {key: str(seen.get(key, "")) for key in ("type", "status", "reason")}
        yield 1, labels


def _servers(manifest: Manifest) -> Iterable[Told]:
    spec = manifest.get("spec") or {}
    is_running = not spec.get("stopped", False)
    yield int(spec.get("replicas", 3) + spec.get("observers", 0)) * is_running, {}


def _ready(manifest: Manifest) -> Iterable[Told]:
    yield int(_status(manifest).get("readyReplicas") or 0), {}


def _operation(manifest: Manifest) -> Iterable[Told]:
    held = _status(manifest).get("operation") or {}
    return _moment(held.get("startedAt"), {"operation": str(held.get("type", ""))})


def _last_success(manifest: Manifest) -> Iterable[Told]:
    return _moment(_status(manifest).get("lastSuccess"), {})


def _failures(manifest: Manifest) -> Iterable[Told]:
    yield int(_status(manifest).get("failures") or 0), {}


def _size(manifest: Manifest) -> Iterable[Told]:
    record = _status(manifest).get("record") or ()
    return [(int(entry["size"]), {}) for entry in record[-1:] if "size" in entry]


def _step(manifest: Manifest) -> Iterable[Told]:
    status = _status(manifest)
    labels = {"step": str(status.get("step", "")), "status": str(status.get("status", ""))}
    return _moment(status.get("since"), labels)


def _moment(told: str | None, labels: Labels) -> Iterable[Told]:
    return [(datetime.fromisoformat(told).timestamp(), labels)] if told else []


def _status(manifest: Manifest) -> Mapping[str, Any]:
    status: Mapping[str, Any] = manifest.get("status") or {}
    return status
