"""Everything a command may touch: the Kubernetes API, the servers behind it, terminal and time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from functions.api.kinds import Ref
from functions.api.manifest import Manifest
from functions.runtime.world import JobPrograms, Kube, ZooKeeperReader
from kubectl_zk.counters import Counters
from kubectl_zk.terminal import Terminal

# Who changed an object, in its managedFields.
MANAGER = "kubectl-zk"


class Kubernetes(Kube, Protocol):
    """The Kubernetes API with the rights of the person at the terminal."""

    def patch(self, ref: Ref, change: Manifest, *, manager: str) -> Manifest:
        """Merge `change` into the object."""
        ...


class Servers(ZooKeeperReader, Protocol):
    """The ZooKeeper servers, asked by way of the Kubernetes API; nothing of them is changed."""

    def counters(self, host: str, port: int) -> Counters:
        """Return what a server says of itself."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """One call of the plugin. `launch` runs kubectl itself in the foreground, for `shell`."""

    kube: Kubernetes
    servers: Servers
    programs: JobPrograms
    namespace: str
    terminal: Terminal
    now: Callable[[], datetime]
    pause: Callable[[float], None]
    launch: Callable[[Sequence[str]], int]
