"""ZooKeeper's membership as a model: disks, elections, writes and changes of the member list.

Written from zookeeper.md section 4 (what servers do), not from the product, and as small tuples so
that a search can visit hundreds of thousands of states. What it knows:

- Every disk holds a prefix of the one sequence of acknowledged changes (`last`), and perhaps one
  change of the member list that its leader never finished (`pending`). A disk with nothing on it
  (`epoch` is EMPTY) never votes, unless it was given the marker.
- A leader is elected by a majority of the voters of the newest member list that any of them knows,
  all of them with data, and is the one with the newest history among them. With an unfinished
  change in its log it needs a majority of the new voters too, and finishes it.
- A change is acknowledged by majorities of the old and of the new list.
- Connections are not modelled: any majority of the servers that run may find each other first.

Sets of servers are bit masks: bit 0 stands for server 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations
from typing import NamedTuple

EMPTY = -1
NO_POD, NEW_POD, DOWN, UP = range(4)


class Roles(NamedTuple):
    """A member list: who votes, who observes."""

    voters: int
    observers: int


class Pending(NamedTuple):
    """A change of the list that this disk has seen proposed and not yet committed."""

    is_committed: bool
    roles: Roles


class Server(NamedTuple):
    """One server: its pod, its volume (by generation; 0 is none), and what the volume holds."""

    pod: int = NO_POD
    volume: int = 0
    is_marked: bool = False
    epoch: int = EMPTY
    last: int = 0
    pending: Pending | None = None
    version: int = 0
    roles: Roles | None = None
    is_outdated: bool = False


class Ensemble(NamedTuple):
    """What all servers together are: who leads whom, and what was acknowledged to clients."""

    leader: int
    connected: int
    acknowledged: int
    version: int
    roles: Roles


class Broken(Exception):
    """The state breaks what must hold; the message says what."""


Servers = tuple[Server, ...]
Zoo = tuple[Servers, Ensemble]


@cache
def bits(mask: int) -> tuple[int, ...]:
    return tuple(n for n in range(mask.bit_length()) if mask >> n & 1)


def is_majority(mask: int, voters: int) -> bool:
    return 2 * (mask & voters).bit_count() > voters.bit_count()


@cache
def minimal_majorities(mask: int, voters: int) -> tuple[int, ...]:
    """Return the smallest subsets of `mask` that are majorities of `voters`."""
    size = voters.bit_count() // 2 + 1
    return tuple(sum(1 << n for n in group) for group in combinations(bits(mask & voters), size))


def running(servers: Servers) -> int:
    return sum(1 << n for n, server in enumerate(servers) if server.pod == UP)


def changed(servers: Servers, n: int, server: Server) -> Servers:
    return (*servers[:n], server, *servers[n + 1 :])


def start(server: Server, n: int) -> Server | None:
    """Start the process on its own files; None when it would exit at once (4.2)."""
    if server.roles is None or not (server.roles.voters | server.roles.observers) >> n & 1:
        return None
    if server.is_marked and server.epoch == EMPTY:
        return server._replace(pod=UP, is_marked=False, epoch=0, last=0)
    return server._replace(pod=UP, is_marked=False)


def stop(zoo: Zoo, n: int, server: Server) -> Zoo:
    """End server n's process; without its leader or a majority nobody leads any more."""
    servers, ensemble = zoo
    return changed(servers, n, server), _without(ensemble, 1 << n)


def _without(ensemble: Ensemble, gone: int) -> Ensemble:
    connected = ensemble.connected & ~gone
    if not ensemble.leader & ~gone or not is_majority(connected, ensemble.roles.voters):
        return ensemble._replace(leader=0, connected=0)
    return ensemble._replace(connected=connected)


def _key(server: Server) -> tuple[int, int]:
    """Return what an election compares: epoch, then the last change in the log."""
    unfinished = server.pending is not None and not server.pending.is_committed
    return server.epoch, 2 * server.last + unfinished


def elections(zoo: Zoo, among: int) -> Iterator[tuple[int, int, Roles]]:
    """Yield every (leader, voters for it, their list) that the servers of `among` may agree on."""
    servers, _ = zoo
    votes = 0
    lists: dict[tuple[int, Roles], int] = {}
    for n in bits(among):
        server = servers[n]
        if server.epoch != EMPTY and server.roles is not None and server.roles.voters >> n & 1:
            votes |= 1 << n
            known = (server.version, server.roles)
            lists[known] = lists.get(known, 0) | 1 << n
    for (version, roles), holders in lists.items():
        older = sum(mask for (other, _), mask in lists.items() if other <= version)
        for group in minimal_majorities(older & votes, roles.voters):
            # A vote carries its sender's list: the newest of the group's own decides for all.
            if group & holders:
                leader = max(bits(group), key=lambda n: (*_key(servers[n]), n))
                if _can_establish(servers, leader, group, among):
                    yield leader, group, roles


def _can_establish(servers: Servers, leader: int, group: int, among: int) -> bool:
    pending = servers[leader].pending
    return pending is None or is_majority(group | among, pending.roles.voters)


def elect(zoo: Zoo, leader: int, group: int, roles: Roles) -> Zoo:
    """Let `leader` lead: its history is everybody's now, an unfinished change is finished."""
    servers, ensemble = zoo
    elected = servers[leader]
    if elected.last != ensemble.acknowledged:
        raise Broken(f"server {leader + 1} leads without every acknowledged write")
    version, acknowledged, followers = ensemble.version, ensemble.acknowledged, group
    if elected.pending is not None:
        roles = elected.pending.roles
        followers |= running(servers) & roles.voters
        if not elected.pending.is_committed:
            version, acknowledged = version + 1, acknowledged + 1
    if version == ensemble.version and roles.voters != ensemble.roles.voters:
        raise Broken(f"{roles} is the member list again although {ensemble.roles} was committed")
    epoch = 1 + max(server.epoch for server in servers)
    ensemble = Ensemble(1 << leader, followers, acknowledged, max(version, 1), roles)
    servers = tuple(
        synced(server, epoch, ensemble) if followers >> n & 1 else server
        for n, server in enumerate(servers)
    )
    if not roles.voters >> leader & 1:
        ensemble = ensemble._replace(leader=0, connected=0)
    return servers, ensemble


def synced(server: Server, epoch: int, ensemble: Ensemble) -> Server:
    """Take over the leader's history and list; one of the same version is the same to a server."""
    is_new = server.version < ensemble.version
    return server._replace(
        epoch=epoch,
        last=ensemble.acknowledged,
        pending=None,
        version=ensemble.version,
        roles=ensemble.roles if is_new else server.roles,
    )


def follow(zoo: Zoo, n: int) -> Zoo | None:
    """Let a running server find the leader and take over its history; None when it cannot."""
    servers, ensemble = zoo
    known = servers[n].roles
    if known is None or not (known.voters | known.observers) & ensemble.connected:
        return None
    epoch = servers[bits(ensemble.leader)[0]].epoch
    caught_up = synced(servers[n], epoch, ensemble)
    followers = ensemble._replace(connected=ensemble.connected | 1 << n)
    return changed(servers, n, caught_up), followers


def write(zoo: Zoo) -> Zoo:
    """Acknowledge one write of a client: it is on the disk of everybody who is connected."""
    servers, ensemble = zoo
    ensemble = ensemble._replace(acknowledged=ensemble.acknowledged + 1)
    return _on_disk(servers, ensemble), ensemble


def _on_disk(servers: Servers, ensemble: Ensemble) -> Servers:
    return tuple(
        synced(server, server.epoch, ensemble) if ensemble.connected >> n & 1 else server
        for n, server in enumerate(servers)
    )


def hear(zoo: Zoo, n: int) -> Zoo | None:
    """Let a server that looks for a leader hear of a newer list: every vote carries one."""
    servers, ensemble = zoo
    server = servers[n]
    others = running(servers)
    asked = server.roles.voters if server.roles is not None else 0
    tells = [
        servers[m]
        for m in bits(others & ~(1 << n))
        if servers[m].version > server.version and (asked >> m & 1 or _asks(servers[m], n))
    ]
    if not tells:
        return None
    newest = max(tells, key=lambda other: other.version)
    pending = server.pending if server.pending and not server.pending.is_committed else None
    told = server._replace(version=newest.version, roles=newest.roles, pending=pending)
    return changed(servers, n, told), ensemble


def _asks(server: Server, n: int) -> bool:
    return server.roles is not None and bool(server.roles.voters >> n & 1)


def accepts(zoo: Zoo, roles: Roles) -> bool:
    """Whether the leader takes a change: a majority of the new voters is in step with it (4.1)."""
    return bool(zoo[1].leader) and is_majority(zoo[1].connected, roles.voters)


def commit(zoo: Zoo, roles: Roles) -> Zoo:
    """Commit a new member list; a leader that is not in it leads no more."""
    servers, ensemble = zoo
    version, acknowledged = ensemble.version + 1, ensemble.acknowledged + 1
    ensemble = Ensemble(ensemble.leader, ensemble.connected, acknowledged, version, roles)
    servers = _on_disk(servers, ensemble)
    if not ensemble.leader & roles.voters:
        ensemble = ensemble._replace(leader=0, connected=0)
    return servers, ensemble


def half_told(zoo: Zoo, roles: Roles) -> Iterator[Zoo]:
    """Yield what is left when a server dies between its acknowledgement and the commit.

    The change is on its disk and counts, but its own list is the one before.
    """
    before, ensemble = zoo
    committed = commit(zoo, roles)
    for n in bits(ensemble.connected & ~ensemble.leader):
        unaware = committed[0][n]._replace(
            pod=DOWN,
            version=before[n].version,
            roles=before[n].roles,
            pending=Pending(is_committed=True, roles=roles),
        )
        yield stop(committed, n, unaware)


def interrupted(zoo: Zoo, roles: Roles) -> Iterator[Zoo]:
    """Yield what is left when the leader dies while a change is on its way to the others."""
    servers, ensemble = zoo
    (leader,) = bits(ensemble.leader)
    proposed = Pending(is_committed=False, roles=roles)
    for group in (0, *(1 << n for n in bits(ensemble.connected & ~ensemble.leader))):
        holders = group | ensemble.leader
        is_done = is_majority(holders, ensemble.roles.voters) and is_majority(holders, roles.voters)
        if not is_done:
            left = tuple(
                server._replace(pending=proposed) if holders >> n & 1 else server
                for n, server in enumerate(servers)
            )
            yield stop((left, ensemble), leader, left[leader]._replace(pod=DOWN))


def with_data(servers: Servers) -> int:
    return sum(1 << n for n, server in enumerate(servers) if server.epoch != EMPTY)


def canonical(zoo: Zoo, versions: frozenset[int]) -> tuple[Zoo, dict[int, int]]:
    """Number epochs, writes and versions anew: only their order decides how it goes on.

    `versions` are those that others remember; the new number of each version is returned too.
    """
    servers, ensemble = zoo
    epochs = {e: n for n, e in enumerate(sorted({s.epoch for s in servers if s.epoch > 0}), 1)}
    written = {ensemble.acknowledged, *(s.last for s in servers if s.epoch != EMPTY)} - {0}
    lasts = {i: n for n, i in enumerate(sorted(written), 1)} | {0: 0}
    listed = {ensemble.version, *versions, *(s.version for s in servers)} - {0}
    # Even numbers: a list may be given a version just below another one.
    numbers = {v: 2 * n for n, v in enumerate(sorted(listed), 1)} | {0: 0}
    renumbered = tuple(
        s._replace(
            epoch=epochs.get(s.epoch, s.epoch),
            last=lasts[s.last] if s.epoch != EMPTY else 0,
            version=numbers[s.version],
        )
        for s in servers
    )
    acknowledged = lasts[ensemble.acknowledged]
    ensemble = ensemble._replace(acknowledged=acknowledged, version=numbers[ensemble.version])
    return (renumbered, ensemble), numbers
