"""Functions without a cluster: `python -m functions render` on sample events and worlds.

The worlds are what the simulation comes to; both they and what is rendered on them are files
under tests/worlds and tests/golden (`UPDATE_GOLDEN=1` writes them anew).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.__main__ import main
from functions.adapters.memory import MemoryEnsemble
from functions.api.kinds import CLUSTER, EVENT, KINDS, POD, STATEFUL_SET, Ref
from tests.expected import TESTS, as_yaml, check_text

EVENTS, WORLDS, GOLDEN = TESTS / "events", TESTS / "worlds", TESTS / "golden" / "render"
PLACE = "default", "small"
CLUSTER_REF = Ref(CLUSTER, *PLACE)


def _new(simulation: Any, **spec: Any) -> None:
    simulation.apply("small", "default", replicas=3, **spec)


def _recorded(simulation: Any) -> None:
    _new(simulation)
    simulation.deliver("reconcile-cluster", CLUSTER_REF)
    simulation.deliver("scale", CLUSTER_REF)


def _starting(simulation: Any) -> None:
    _recorded(simulation)
    for function in ("scale", "scale", "reconcile-cluster"):
        simulation.deliver(function, CLUSTER_REF)
    simulation.kubernetes()


def _serving(simulation: Any) -> None:
    _new(simulation)
    simulation.settle()


def _server_lost(simulation: Any) -> None:
    _serving(simulation)
    simulation.broken_pods.add("small-1")
    simulation.remove_pod("small-1", "default")
    simulation.kubernetes()


def _config_lost(simulation: Any) -> None:
    _serving(simulation)
    ref = Ref(KINDS["v1", "ConfigMap"], "default", "small-config")
    simulation.kube.delete(ref, uid=simulation.kube.get(ref)["metadata"]["uid"])


def _adopting(simulation: Any) -> None:
    _serving(simulation)
    _delete(simulation)
    simulation.settle()
    _new(simulation)


def _deleting(simulation: Any) -> None:
    _new(simulation, clearPersistence=True)
    simulation.settle()
    _delete(simulation)


def _volumes_left(simulation: Any) -> None:
    _deleting(simulation)
    simulation.deliver("reconcile-cluster", CLUSTER_REF)
    simulation.kubernetes()


def _outdated(simulation: Any) -> None:
    _serving(simulation)
    _new(simulation, logLevel="DEBUG")
    simulation.deliver("reconcile-cluster", CLUSTER_REF)
    simulation.kubernetes()


def _growing(simulation: Any) -> None:
    _serving(simulation)
    simulation.apply("small", "default", replicas=5)
    for function in ("reconcile-cluster", "observe"):
        simulation.deliver(function, CLUSTER_REF)


def _stopping(simulation: Any) -> None:
    _serving(simulation)
    _new(simulation, stopped=True)
    for function in ("reconcile-cluster", "roll", "observe"):
        simulation.deliver(function, CLUSTER_REF)


def _stopped(simulation: Any) -> None:
    _stopping(simulation)
    simulation.settle()


def _delete(simulation: Any) -> None:
    simulation.kube.delete(CLUSTER_REF, uid=simulation.kube.get(CLUSTER_REF)["metadata"]["uid"])


MADE: dict[str, Callable[[Any], None]] = {
    "empty": lambda _: None,
    "new": _new,
    "recorded": _recorded,
    "starting": _starting,
    "serving": _serving,
    "server-lost": _server_lost,
    "config-lost": _config_lost,
    "adopting": _adopting,
    "deleting": _deleting,
    "volumes-left": _volumes_left,
    "outdated": _outdated,
    "growing": _growing,
    "stopping": _stopping,
    "stopped": _stopped,
}


def _dumped(simulation: Any) -> dict[str, str]:
    """Return the world as files: the cluster, the objects around it, and the servers."""
    kinds = [kind for kind in KINDS.values() if kind != EVENT and "monitoring" not in kind.group]
    found = [_trimmed(item) for kind in kinds for item in simulation.kube.list(kind, None)]
    clusters = [item for item in found if item["kind"] == CLUSTER.name]
    others = [item for item in found if item["kind"] != CLUSTER.name]
    ensembles = [_described(ensemble) for ensemble in simulation.zookeeper.ensembles]
    files = {"cluster.yaml": clusters, "objects.yaml": others}
    texts = {name: as_yaml(*items) for name, items in files.items() if items}
    return {**texts, "servers.yaml": as_yaml({"ensembles": ensembles})}


def _trimmed(item: dict[str, Any]) -> dict[str, Any]:
    # No function reads a pod's spec, and nobody wants to read it here.
    kept = {key: value for key, value in item.items() if item["kind"] != "Pod" or key != "spec"}
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    return {**kept, "metadata": metadata}


def _described(ensemble: MemoryEnsemble) -> dict[str, Any]:
    domain = "small.default.svc.cluster.local"
    ids = [member.id for member in ensemble.config.members]
    return {
        "leader": ensemble.elect(),
        "members": [
            f"server.{number}=small-{number - 1}.{domain}:2888:3888:participant;0.0.0.0:2181"
            for number in ids
        ],
        "servers": [
            {"id": server.id, "host": server.host, "port": server.port, "version": server.version}
            for server in ensemble.servers.values()
            if server.is_up
        ],
    }


@pytest.mark.parametrize("name", MADE)
def test_the_sample_worlds_are_what_clusters_really_come_to(simulation: Any, name: str) -> None:
    MADE[name](simulation)
    for file, text in _dumped(simulation).items():
        check_text(WORLDS / name / file, text)
    assert {path.name for path in (WORLDS / name).glob("*.yaml")} == set(_dumped(simulation))


RENDERED = [
    ("reconcile-cluster", "reconcile-cluster", "empty"),
    ("reconcile-cluster", "reconcile-cluster", "new"),
    ("reconcile-cluster", "reconcile-cluster", "recorded"),
    ("reconcile-cluster", "reconcile-cluster", "serving"),
    ("reconcile-cluster", "reconcile-cluster", "deleting"),
    ("reconcile-cluster", "reconcile-cluster", "volumes-left"),
    ("reconcile-cluster", "reconcile-cluster-owned", "config-lost"),
    ("scale", "scale", "new"),
    ("scale", "scale", "recorded"),
    ("scale", "scale-claim", "starting"),
    ("scale", "scale", "adopting"),
    ("scale", "scale", "serving"),
    ("scale", "scale", "growing"),
    ("scale", "scale", "stopping"),
    ("roll", "roll", "serving"),
    ("roll", "roll", "outdated"),
    ("observe", "observe", "new"),
    ("observe", "observe", "starting"),
    ("observe", "observe", "serving"),
    ("observe", "observe", "server-lost"),
    ("resync", "resync", "stopped"),
    ("observe", "observe-role", "server-lost"),
