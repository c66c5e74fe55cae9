"""The real world without consequences: reads reach it, writes stay in this process.

A function that runs on it sees what it wrote itself, as it would in earnest, so that a plan is as
long as one delivery of the real function.
"""

from __future__ import annotations

from datetime import datetime

from functions.adapters.memory import MemoryKube
from functions.api.errors import Unavailable
from functions.api.kinds import NODE, Kind, Ref
from functions.api.manifest import Manifest, Selector, ref_of
from functions.planning.ensemble import DiskReport, EnsembleConfig, Login, ServerStats
from functions.runtime.world import Kube, ZooKeeperReader

Manifests = list[Manifest]
Labels = tuple[tuple[str, str | tuple[str, ...]], ...]


class PlanEnds(Unavailable):
    """What comes next depends on what the servers make of the step before."""


class Looks:
    """What was read of the real API server, each thing once: the functions look at one moment."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._found: dict[Ref, Manifest | None] = {}
        self._listed: dict[tuple[Kind, str | None, Labels], Manifests] = {}

    def get(self, ref: Ref) -> Manifest | None:
        if ref not in self._found:
            self._found[ref] = self._kube.get(ref)
        return self._found[ref]

    def list(self, kind: Kind, namespace: str | None, labels: Selector | None = None) -> Manifests:
        asked = (kind, namespace, tuple(sorted((labels or {}).items())))
        if asked not in self._listed:
            self._listed[asked] = self._kube.list(kind, namespace, labels)
        return self._listed[asked]

    def serves(self, kind: Kind) -> bool:
        return self._kube.serves(kind)


class DryKube(MemoryKube):
    """Reads what is not here yet from the real API server; keeps every write to itself."""

    def __init__(self, looks: Looks, now: datetime) -> None:
        super().__init__(now=lambda: now, unserved=frozenset())
        self._looks = looks
        self._known: set[Ref] = set()

    def get(self, ref: Ref) -> Manifest | None:
        if ref not in self._known:
            self._take(ref, self._looks.get(ref))
        return super().get(ref)

    def list(self, kind: Kind, namespace: str | None, labels: Selector | None = None) -> Manifests:
        found = self._looks.list(kind, namespace, labels)
        if kind == NODE:
            return found  # Nobody writes them.
        for manifest in found:
            self._take(ref_of(manifest), manifest)
        return super().list(kind, namespace, labels)

    def serves(self, kind: Kind) -> bool:
        return self._looks.serves(kind)

    def _take(self, ref: Ref, manifest: Manifest | None) -> None:
        """Keep it as it really is, unless it was read, written or deleted here before."""
        if ref in self._known:
            return
        self._known.add(ref)
        if manifest is not None and super().get(ref) is None:
            self.mirror(manifest)


class DryServers:
    """Looks at the real servers, each once; a change of the member list is only noted."""

    def __init__(self, servers: ZooKeeperReader) -> None:
        self._servers = servers
        self.changes: list[str] = []

    def stats(self, host: str, port: int) -> ServerStats:
        return self._servers.stats(host, port)

    def config(self, host: str, port: int) -> EnsembleConfig:
        return self._servers.config(host, port)

    def disk(self, host: str) -> DiskReport:
        return self._servers.disk(host)

    def reconfigure(
        self,
        host: str,
        port: int,
        *,
        joining: str,
        leaving: str,
        from_config: int,
        login: Login,
    ) -> EnsembleConfig:
        del host, port, from_config, login
        self.changes.append(f"take out server {leaving}" if leaving else f"add {joining}")
        raise PlanEnds("Then it looks again.")
