"""Where servers take clients without TLS: what the member list says of it, and who can be asked.

A pod decides at its start whether its server listens without TLS to everybody or inside the pod
alone (docs/decisions/0025). The member list has to say the same: a server that hears of a newer
list takes its address from there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from functions.api.cluster import ZooKeeperCluster
from functions.manifests.server_config import client_address
from functions.planning.ensemble import Member, SeenServers
from functions.planning.member_list import line_of
from functions.planning.steps import Reconfigure

_LOOPBACK = "127.0.0.1:"


def corrected_lines(cluster: ZooKeeperCluster, servers: SeenServers) -> dict[int, str]:
    """Return the lines that say otherwise than their servers' pods, as they should read."""
    if servers.config is None:
        return {}
    return {
        member.id: line_of(replace(member, address=_address(cluster, member, servers)))
        for member in servers.config.members
        if member.id in servers.addresses and _is_inside(member) != (member.id in servers.doors)
    }


def _is_inside(member: Member) -> bool:
    return member.address.partition(";")[2].startswith(_LOOPBACK)


def _address(cluster: ZooKeeperCluster, member: Member, servers: SeenServers) -> str:
    is_closed = member.id in servers.doors
    client = client_address(cluster, is_plaintext_closed=is_closed)
    return f"{member.address.partition(';')[0]};{client}"


def are_alike(servers: SeenServers) -> bool:
    """Whether no roll is under way from one kind of server to the other."""
    return servers.doors.keys() in (set(), servers.addresses.keys())


def askable(servers: SeenServers, spare: int = 0) -> list[int]:
    """Return who can be asked to change the list, best first: `spare` and the silent cannot.

    Servers that take clients by TLS alone come last, and count only while they have a port for it.
    """
    serving = {number for number, stats in servers.stats.items() if stats.mode and number != spare}
    closed = {number for number in serving & servers.doors.keys() if servers.doors[number].port}
    return [*sorted(serving - servers.doors.keys()), *sorted(closed)]


def change(
    servers: SeenServers,
    asked: Collection[int],
    *,
    joining: str,
    leaving: str,
    version: int,
    port: int = 0,
) -> Reconfigure:
    """Return the change, asked of the first; each of them can tell how it went."""
    first = next(iter(asked))
    hosts = tuple(servers.addresses[number] for number in asked)
    door = servers.doors.get(first)
    if door is not None:
        return Reconfigure(hosts[0], hosts, joining, leaving, version, door.port, door.name)
    return Reconfigure(hosts[0], hosts, joining, leaving, version, port)
