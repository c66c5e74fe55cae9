"""A world read from a folder of YAML files: what `python -m functions render` runs a function on.

Every `*.yaml` file holds Kubernetes manifests as `kubectl get -o yaml` prints them (status and
lists included). `servers.yaml`, where there is one, says which ZooKeeper servers answer and what.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from functions.adapters.memory import (
    MemoryAdminServers,
    MemoryEnsemble,
    MemoryJobPrograms,
    MemoryKube,
    MemoryZooKeeper,
)
from functions.api.errors import Refused
from functions.api.manifest import Manifest, ref_of
from functions.planning.ensemble import EnsembleConfig
from functions.planning.member_list import host_of, parse_member
from functions.runtime.settings import Settings
from functions.runtime.world import JobPrograms, World, ZooKeeper

SERVERS_FILE = "servers.yaml"


class BadFile(Exception):
    """A file cannot be used; the sentence names it and says what is wrong."""


@dataclass(slots=True)
class RenderedWorld:
    """The twins that hold the world, and the events that a function sent from it."""

    kube: MemoryKube
    zookeeper: ZooKeeper
    now: datetime
    settings: Settings = field(default_factory=lambda: Settings(conflict_pause=0.0))
    programs: JobPrograms = field(default_factory=MemoryJobPrograms)
    sent: list[Manifest] = field(default_factory=list)

    def world(self) -> World:
        """Return the World a function gets; nothing in it depends on chance or on the hour."""
        return World(
            kube=self.kube,
            zookeeper=self.zookeeper,
            programs=self.programs,
            admin_servers=MemoryAdminServers(),
            now=lambda: self.now,
            emit=lambda attributes, data: self.sent.append({**attributes, "data": dict(data)}),
            fresh_password=lambda: "a-password-made-for-rendering",
            settings=self.settings,
        )


def read_world(folder: Path, now: datetime) -> RenderedWorld:
    """Return the world that the files in `folder` describe; raises BadFile."""
    if not folder.is_dir():
        raise BadFile(f"{folder} is no folder: give --world a folder of YAML files.")
    kube, zookeeper = MemoryKube(now=lambda: now), MemoryZooKeeper()
    for path in sorted(folder.glob("*.yaml")):
        if path.name == SERVERS_FILE:
            zookeeper.ensembles.extend(_ensembles(path))
        else:
            _load(path, kube)
    return RenderedWorld(kube, zookeeper, now)


def _load(path: Path, kube: MemoryKube) -> None:
    for manifest in _manifests(path):
        try:
            if kube.get(ref_of(manifest)) is not None:
                raise BadFile(f"{path}: {_named(manifest)} is there twice; leave one of them out.")
            kube.put(manifest)
        except Refused as error:
            raise BadFile(f"{path}: {error}") from error


def _named(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _manifests(path: Path) -> Iterator[Manifest]:
    for document in _documents(path):
        if not isinstance(document, dict):
            raise BadFile(f"{path}: there is something that is no Kubernetes manifest in it.")
        is_list = str(document.get("kind", "")).endswith("List")
        yield from document.get("items") or () if is_list else (document,)


class _PlainTimes(yaml.SafeLoader):
    """Reads times as the text they are, as the Kubernetes API does."""


_PlainTimes.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _documents(path: Path) -> list[Any]:
    try:
        loaded = list(yaml.load_all(path.read_text(), _PlainTimes))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        told = " ".join(str(error).split())
        raise BadFile(f"{path} cannot be read as YAML: {told}") from error
    return [document for document in loaded if document is not None]


def _ensembles(path: Path) -> list[MemoryEnsemble]:
    try:
        return [
            _ensemble(described)
            for document in _documents(path)
            for described in document["ensembles"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadFile(
            f"{path} does not describe servers ({type(error).__name__}: {error}). It reads: "
            "ensembles: [{members: [server.1=...], servers: [{id: 1, host: 10.244.1.1}]}]"
        ) from error


def _ensemble(described: Mapping[str, Any]) -> MemoryEnsemble:
    """Return servers that answer as described; who is not listed under `servers` is down."""
    members = tuple(parse_member(line) for line in described["members"])
    version = int(str(described.get("version", "100000000")), 16)
    made = MemoryEnsemble(
        EnsembleConfig(version, members),
        zxid=int(str(described.get("zxid", "100000001")), 16),
        leader=int(described.get("leader", 0)),
    )
    hosts = {member.id: host_of(member) for member in members}
    for server in described["servers"]:
        number = int(server["id"])
        added = made.add(
            number,
            str(server.get("host") or hosts[number]),
            int(server.get("port", 2181)),
            has_data=bool(server.get("hasData", True)),
        )
        added.version = str(server.get("version", added.version))
    return made
