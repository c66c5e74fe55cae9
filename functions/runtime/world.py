"""The World: everything a function may touch, as ports.

Handlers get a World and nothing else. The real adapters and the in-memory twin both satisfy
these protocols and pass one contract suite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from functions.api.kinds import Kind, Ref
from functions.api.manifest import Manifest, Selector
from functions.planning.ensemble import DiskReport, EnsembleConfig, Login, ServerStats
from functions.planning.progress import Progress
from functions.runtime.settings import Settings


class Kube(Protocol):
    """The Kubernetes API, uncached. Every call has a timeout and raises FunctionErrors only."""

    def get(self, ref: Ref) -> Manifest | None:
        """Return the object as it is now, or None when there is none (404)."""
        ...

    def list(
        self, kind: Kind, namespace: str | None, labels: Selector | None = None
    ) -> list[Manifest]:
        """Return all objects of `kind` in `namespace` (None: all) that carry all `labels`.

        Of a label with several values any one will do. Who wrote what (`metadata.managedFields`)
        need not be in them.
        """
        ...

    def apply(
        self, manifest: Manifest, *, manager: str, subresource: str = "", force: bool = False
    ) -> Manifest:
        """Server-side apply as field manager `manager`; returns the stored object.

        `metadata.uid` and `metadata.resourceVersion` in the manifest are preconditions (Conflict).
        Raises FieldConflict when other managers own changed fields and `force` is false.
        """
        ...

    def replace(self, manifest: Manifest, *, manager: str) -> Manifest:
        """Replace the whole object, which must be as its resourceVersion says (Conflict if not).

        For the few lists that server-side apply cannot mend: an entry that somebody else added
        stays with an apply, and may clash with ours.
        """
        ...

    def create(self, manifest: Manifest, *, manager: str) -> Manifest:
        """Create; raises AlreadyExists."""
        ...

    def delete(self, ref: Ref, *, uid: str) -> None:
        """Delete the object with exactly this uid (Conflict otherwise); gone is success."""
        ...

    def evict(self, ref: Ref, *, uid: str) -> None:
        """Evict the pod with exactly this uid, as far as its disruption budget allows.

        Conflict when the pod is another one by now, EvictionBlocked when the budget says no; gone
        is success.
        """
        ...

    def serves(self, kind: Kind) -> bool:
        """Whether the API server serves this kind (False: its CRD is not installed).

        The answer may be a minute old. A write where the kind went away since raises NotServed.
        """
        ...


class ZooKeeperReader(Protocol):
    """ZooKeeper servers, by address (`host`, client `port`). Unavailable when one cannot answer.

    At the agent's port the agent beside a server is looked at: it tells the same.
    """

    def stats(self, host: str, port: int) -> ServerStats:
        """Ask `srvr`, without opening a session."""
        ...

    def config(self, host: str, port: int) -> EnsembleConfig:
        """Read the committed member list of a server that serves (`conf`), without a session."""
        ...

    def disk(self, host: str) -> DiskReport:
        """Ask the agent beside a server what its volume holds, whether the server serves or not."""
        ...


class ZooKeeper(ZooKeeperReader, Protocol):
    """The same servers, whose member list can be changed as well."""

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
        """Change the member list by compare-and-set on its version, as the super user.

        `joining` is a line of a member list (or several, with commas), `leaving` ids. Raises
        Conflict when the version is no longer `from_config`, Refused when the servers will not
        have it (password, reconfig disabled, bad line, no quorum of the new members), Unavailable
        when they cannot do it now or the outcome is unknown (read the config again before anything
        else). With a `login.trust` the session goes by TLS.
        """
        ...


class JobPrograms(Protocol):
    """The programs in the pods of Jobs, by the pod's address."""

    def progress(self, host: str) -> Progress:
        """Ask a program how far it is; Unavailable when it cannot answer (any more)."""
        ...


class AdminServers(Protocol):
    """AdminServers of ZooKeeper, at the address that a spec names."""

    def leader(self, host: str, port: int) -> int:
        """Ask which server leads; its id. Unavailable when none is named or nobody answers."""
        ...


@dataclass(frozen=True, slots=True)
class World:
    """What one call of a function works with."""

    kube: Kube
    zookeeper: ZooKeeper
    programs: JobPrograms
    admin_servers: AdminServers
    now: Callable[[], datetime]
    emit: Callable[[Mapping[str, str], Manifest], None]
    fresh_password: Callable[[], str]
    settings: Settings
