"""What was seen of an ensemble: values only, made by the adapters and read by the planners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServerStats:
    """What one server says of itself (`srvr`): `mode` is empty while it serves nobody."""

    mode: str
    zxid: int
    version: str
    connections: int
    nodes: int = 0  # Of the whole tree.


@dataclass(frozen=True, slots=True)
class Member:
    """One line of the ensemble's member list: `server.<id>=<address>` without the role.

    `functions.planning.member_list` reads and writes such lines.
    """

    id: int
    address: str
    role: str


@dataclass(frozen=True, slots=True)
class EnsembleConfig:
    """The committed member list (`/zookeeper/config`) and its version (a zxid)."""

    version: int
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Door:
    """Where a server that takes clients by TLS alone takes a session, and the name it goes by.

    `port` is 0 while there is no such place.
    """

    port: int
    name: str


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a session by TLS trusts, and what it shows: the texts of a Secret.

    `chain` and `key` are the server's own certificate and its key, which is empty where nothing
    need be shown; `authority` may be empty. `name` is the server's.
    """

    name: str
    chain: str
    authority: str
    key: str


@dataclass(frozen=True, slots=True)
class Login:
    """How the super user opens a session: any of these passwords; by TLS if there is a `trust`."""

    passwords: Sequence[str]
    trust: Trust | None = None


@dataclass(frozen=True, slots=True)
class SeenServers:
    """The servers that answered, by id: their addresses and what they said, and the member list.

    `doors` are of those that take clients by TLS alone, whether they answered or not.
    """

    stats: Mapping[int, ServerStats]
    addresses: Mapping[int, str]
    config: EnsembleConfig | None
    doors: Mapping[int, Door] = field(default_factory=dict)

    @property
    def leader(self) -> int | None:
        return leader_of(self.stats)


def leader_of(stats: Mapping[int, ServerStats]) -> int | None:
    """Return who leads; of two that say so the one of the later epoch (the other is deposed)."""
    leading = [number for number, it in stats.items() if it.mode == "leader"]
    return max(leading, key=lambda number: stats[number].zxid >> 32, default=None)


@dataclass(frozen=True, slots=True)
class DiskReport:
    """What one server's volume holds now, whether the server serves or not.

    `zxid` is the last complete transaction there (None: there are files, but none can be read),
    `epoch` the last one the server followed a leader in, `members` and `voters` the ids of its own
    member list, `lines` that list. `restored` is the uid of the restore that the data comes from;
    empty if it comes from none.
    """

    is_empty: bool
    zxid: int | None
    epoch: int
    members: frozenset[int]
    voters: frozenset[int]
    lines: tuple[Member, ...] = ()
    restored: str = ""
