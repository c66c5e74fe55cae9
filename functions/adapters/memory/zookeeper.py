"""The in-memory twin of ZooKeeper servers: quorum, modes, member list and its versions.

A test says which servers exist and which are up; who leads, who serves and what a change of the
member list does follows from that by ZooKeeper's rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from functions.adapters.agent import AGENT_PORT
from functions.adapters.memory.faults import Faults
from functions.api.errors import Conflict, Refused, Unavailable
from functions.planning.ensemble import DiskReport, EnsembleConfig, Login, Member, ServerStats
from functions.planning.member_list import OBSERVER, PARTICIPANT, parse_member

FIRST_ZXID = 0x100000000
LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class MemoryServer:
    """One server: `has_data` is false for one with an empty disk, which never votes.

    `zxid` is the last transaction on its disk; 0 for one that may vote although it holds none.
    `restored` is the uid of the restore that its data comes from. `password` is the super user's as
    this server knows it; empty: as the ensemble does. One that `is_inside` listens without TLS on
    its pod's loopback alone; `secure_port` is where it takes sessions by TLS, 0 nowhere.
    """

    id: int
    host: str
    port: int
    version: str = "3.9.5"
    is_up: bool = True
    has_data: bool = True
    connections: int = 1
    zxid: int = 0
    restored: str = ""
    password: str = ""
    is_inside: bool = False
    secure_port: int = 0

    def is_at(self, host: str, port: int) -> bool:
        """Whether it is looked at there; the agent beside it tells wherever it listens."""
        if port == AGENT_PORT:
            return self.host == host
        return (self.host, self.port) == (host, port) and not self.is_inside


@dataclass(slots=True)
class MemoryEnsemble:
    """Servers that share one member list. `zxid` is that of the last committed transaction.

    A leader with less than that makes its own the last one: what it does not know is lost.
    """

    config: EnsembleConfig
    password: str = "secret"
    zxid: int = FIRST_ZXID
    servers: dict[int, MemoryServer] = field(default_factory=dict)
    leader: int = 0
    elections: int = 0

    def add(
        self,
        id: int,
        host: str,
        port: int = 2181,
        *,
        has_data: bool = True,
        zxid: int | None = None,
    ) -> MemoryServer:
        """Start a server; it joins as a learner while the member list does not name it.

        One with data has all of it, unless `zxid` says up to where.
        """
        held = self.zxid if zxid is None and has_data else zxid or 0
        server = MemoryServer(id, host, port, has_data=has_data, zxid=held)
        self.servers[id] = server
        return server

    def stop(self, *ids: int) -> None:
        """Stop servers; their data stays."""
        for id in ids:
            self.servers[id].is_up = False

    def start(self, *ids: int) -> None:
        """Start servers again."""
        for id in ids:
            self.servers[id].is_up = True

    @property
    def voters(self) -> frozenset[int]:
        """The ids that vote by the committed member list."""
        return frozenset(_voters(self.config.members))

    def elect(self) -> int:
        """Return the leader, after an election if the last one is gone; 0 without a quorum."""
        able = {id for id in self.voters if self._is_up(id) and self.servers[id].has_data}
        if 2 * len(able) <= len(self.voters):
            self.leader = 0
        elif self.leader not in able:
            self.leader = max(able, key=lambda id: (self.servers[id].zxid, id))
            self.elections += 1
            self.zxid = max(self.servers[self.leader].zxid, FIRST_ZXID)
        if self.leader:
            self._sync()
        return self.leader

    def mode_of(self, id: int) -> str:
        """Return what `srvr` shows as Mode, empty while the server serves nobody."""
        leader = self.elect()
        if not leader or not self._is_up(id):
            return ""
        roles = {member.id: member.role for member in self.config.members}
        if id == leader:
            return "leader"
        return "observer" if roles.get(id) == OBSERVER else "follower"

    def change(self, joining: str, leaving: str, from_config: int) -> EnsembleConfig:
        """Commit a new member list, by the leader's rules (zookeeper.md 4.1)."""
        if from_config != self.config.version:
            raise Conflict(f"The member list has the version {self.config.version:x} by now.")
        left = {int(id) for id in leaving.split(",") if id}
        members = {m.id: m for m in self.config.members if m.id not in left}
        members |= {member.id: member for member in _joiners(joining)}
        voters = _voters(members.values())
        if not voters:
            raise Refused("The new member list has no voter.")
        if 2 * sum(map(self._is_up, voters)) <= len(voters):
            raise Refused("No quorum of the new members is connected.")
        self.zxid += 1
        self.config = EnsembleConfig(
            self.zxid, tuple(sorted(members.values(), key=lambda member: member.id))
        )
        self._bind(_joiners(joining))
        self._sync()
        return self.config

    def _bind(self, members: Iterable[Member]) -> None:
        """Servers take their client port from the list, while they run (docs/decisions/0006)."""
        for member in members:
            host, _, port = member.address.partition(";")[2].rpartition(":")
            if member.id in self.servers and port:
                self.servers[member.id].port = int(port)
                self.servers[member.id].is_inside = host == LOOPBACK

    def write(self) -> int:
        """Let a client write something; return the zxid under which it was acknowledged."""
        assert self.elect(), "nobody serves"
        self.zxid += 1
        self._sync()
        return self.zxid

    def _is_up(self, id: int) -> bool:
        return id in self.servers and self.servers[id].is_up

    def _sync(self) -> None:
        """Every server that is up has followed the leader and holds its data."""
        for server in self.servers.values():
            if server.is_up:
                server.has_data, server.zxid = True, self.zxid


class MemoryZooKeeper:
    """ZooKeeper servers in this process. Satisfies `functions.runtime.world.ZooKeeper`."""

    def __init__(self, *, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.ensembles: list[MemoryEnsemble] = []
        self.changes: list[str] = []

    def ensemble(self, lines: Iterable[str], *, password: str = "secret") -> MemoryEnsemble:
        """Start an ensemble of the servers that `lines` (`server.<id>=...`) name."""
        members = tuple(parse_member(line) for line in lines)
        made = MemoryEnsemble(EnsembleConfig(0x100000000, members), password)
        for member in members:
            made.add(member.id, member.address.partition(":")[0])
        self.ensembles.append(made)
        return made

    def stats(self, host: str, port: int) -> ServerStats:
        """Say what `srvr` would; a server without quorum has no mode."""
        with self.faults.around():
            ensemble, server = self._find(host, port)
            mode = ensemble.mode_of(server.id)
            if not mode:
                return ServerStats(mode="", zxid=0, version="", connections=0)
            return ServerStats(mode, ensemble.zxid, server.version, server.connections)

    def config(self, host: str, port: int) -> EnsembleConfig:
        """Say what `conf` would of the member list."""
        with self.faults.around():
            return self._serving(host, port)[0].config

    def disk(self, host: str) -> DiskReport:
        """Say what the agent would; it answers whether the server is up or not."""
        with self.faults.around():
            for ensemble in self.ensembles:
                for server in ensemble.servers.values():
                    if server.host == host:
                        return _report(server, ensemble.config.members)
        raise Unavailable(f"{host} cannot be asked: connection refused")

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
        """Change the member list by compare-and-set on its version, as the super user."""
        self.changes.append(f"+{joining} -{leaving}")
        if from_config < 0:
            raise Refused("from_config must be a version that was read: -1 would overwrite any.")
        with self.faults.around():
            ensemble, server = self._taking(host, port, by_tls=login.trust is not None)
            if (server.password or ensemble.password) not in login.passwords:
                raise Refused(f"{host}:{port} does not accept the super user's password.")
            return ensemble.change(joining, leaving, from_config)

    def _serving(self, host: str, port: int) -> tuple[MemoryEnsemble, MemoryServer]:
        ensemble, server = self._find(host, port)
        if not ensemble.mode_of(server.id):
            raise Unavailable(f"{host}:{port} is not currently serving requests.")
        return ensemble, server

    def _taking(self, host: str, port: int, *, by_tls: bool) -> tuple[MemoryEnsemble, MemoryServer]:
        """Return the server that takes a session there."""
        ensemble, server = self._serving(host, AGENT_PORT if by_tls else port)
        if (by_tls and server.secure_port != port) or port == AGENT_PORT:
            raise Unavailable(f"{host}:{port} opens no session: connection refused")
        return ensemble, server

    def _find(self, host: str, port: int) -> tuple[MemoryEnsemble, MemoryServer]:
        for ensemble in self.ensembles:
            for server in ensemble.servers.values():
                if server.is_at(host, port) and server.is_up:
                    return ensemble, server
        raise Unavailable(f"{host}:{port} cannot be asked: connection refused")


def _report(server: MemoryServer, members: tuple[Member, ...]) -> DiskReport:
    return DiskReport(
        is_empty=not server.has_data,
        zxid=server.zxid if server.has_data else None,
        epoch=server.zxid >> 32,
        members=frozenset(member.id for member in members),
        voters=frozenset(_voters(members)),
        lines=members,
        restored=server.restored,
    )


def _voters(members: Iterable[Member]) -> list[int]:
    return [member.id for member in members if member.role == PARTICIPANT]


def _joiners(joining: str) -> list[Member]:
    try:
        return [parse_member(line) for line in joining.split(",") if line]
    except ValueError as error:
        raise Refused(f"The new member list is refused: {error}") from error
