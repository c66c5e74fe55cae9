"""What a restore rests on: servers take their client port from the member list, while they run.

An ensemble whose list carries another client port than its clients know is closed to them. One
change of the list opens it: nobody restarts, nobody elects (docs/decisions/0006).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from kazoo.client import KazooClient

from functions.adapters.words import ask, parse_stats
from functions.adapters.zookeeper import ZooKeeperServers
from functions.api.errors import Unavailable
from functions.planning.ensemble import Login, ServerStats
from functions.planning.member_list import line_of, parse_member
from tests.contract.ensemble import PORT, RealEnsemble
from tests.contract.processes import takes_connections, until

pytestmark = pytest.mark.contract

CLOSED = 2189
OBSERVER = 4
# The slowest server of those tried took 0.2 s; a loaded machine takes longer.
AT_ONCE = 10.0


# What servers with TLS for clients listen with.
NETTY = {"serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory"}


@pytest.mark.parametrize(
    ("version", "settings"),
    [
        pytest.param("3.6.4", {}, marks=pytest.mark.soak, id="3.6.4"),
        pytest.param("3.7.0", {}, marks=pytest.mark.soak, id="3.7.0"),
        pytest.param("3.8.4", {}, marks=pytest.mark.soak, id="3.8.4"),
        pytest.param("3.9.5", {}, marks=pytest.mark.soak, id="3.9.5"),
        pytest.param("3.6.4", NETTY, marks=pytest.mark.soak, id="3.6.4-netty"),
        pytest.param("3.9.5", NETTY, marks=pytest.mark.soak, id="3.9.5-netty"),
    ],
)
def test_one_change_of_the_list_lets_clients_in_without_a_restart_or_an_election(
    ensemble_of: Callable[..., RealEnsemble], version: str, settings: dict[str, str]
) -> None:
    ensemble: RealEnsemble = ensemble_of(4, version=version, settings=settings)
    hosts = {parse_member(line).id: _host(line) for line in ensemble.lines}
    ensemble.lines = [_on_port(line, CLOSED) for line in ensemble.lines]
    ensemble.start(*hosts)
    until(lambda: all(_stats(host, CLOSED) for host in hosts.values()), "all serve behind it")
    assert not [host for host in hosts.values() if takes_connections(host, PORT)]

    leader = next(n for n, host in hosts.items() if _mode(host, CLOSED) == "leader")
    late = next(n for n in (1, 2, 3) if n != leader)
    running = {number: host for number, host in hosts.items() if number != late}
    with _waiting_client(hosts.values()) as outside:
        ensemble.stop(late)
        until(lambda: _stats(hosts[leader], CLOSED), "the rest serves")
        _open_under_watch(ensemble, running, hosts[leader])
        until(lambda: outside.connected, "a client that waited gets in by itself")
    ensemble.start(late)
    until(lambda: _stats(hosts[late], PORT), "one that was down meanwhile learns of it")
    ensemble.stop(*hosts)
    ensemble.start(*hosts)
    until(lambda: all(_stats(host, PORT) for host in hosts.values()), "it holds after a restart")
    assert not [host for host in hosts.values() if takes_connections(host, CLOSED)]


def _open_under_watch(ensemble: RealEnsemble, running: dict[int, str], leader: str) -> None:
    """Change the list while every server has a client; neither it nor anybody else notices."""
    hung_up: list[str] = []
    with ExitStack() as stack:
        inside = [stack.enter_context(_session(host)) for host in running.values()]
        inside[0].create("/kept", b"x")
        for client in inside:
            client.add_listener(hung_up.append)
        epoch = _epoch(leader, CLOSED)
        _open(ensemble, leader)
        until(lambda: all(_stats(h, PORT) for h in running.values()), "they are open", AT_ONCE)
        assert not [host for host in running.values() if takes_connections(host, CLOSED)]
        assert (_mode(leader, PORT), _epoch(leader, PORT)) == ("leader", epoch)
        assert hung_up == [], "whoever was connected stays so"
        assert {client.get("/kept")[0] for client in inside} == {b"x"}


def _open(ensemble: RealEnsemble, host: str) -> None:
    servers = ZooKeeperServers()
    servers.reconfigure(
        host,
        CLOSED,
        joining=",".join(_on_port(line, PORT) for line in ensemble.lines),
        leaving="",
        from_config=servers.config(host, CLOSED).version,
        login=Login([ensemble.password]),
    )


def _on_port(line: str, port: int) -> str:
    """Return the line with another client port; the last server is an observer."""
    member = parse_member(line)
    quorum, _, client = member.address.partition(";")
    role = "observer" if member.id == OBSERVER else "participant"
    moved = f"{quorum};{client.rpartition(':')[0]}:{port}"
    return line_of(replace(member, address=moved, role=role))


def _host(line: str) -> str:
    return parse_member(line).address.partition(":")[0]


def _stats(host: str, port: int) -> ServerStats | None:
    """Return what a server that serves says of itself."""
    try:
        found = parse_stats(ask("srvr", host, port, timeout=2), host)
    except Unavailable:
        return None
    return found if found.mode else None


def _mode(host: str, port: int) -> str:
    found = _stats(host, port)
    return found.mode if found else ""


def _epoch(host: str, port: int) -> int:
    found = _stats(host, port)
    return found.zxid >> 32 if found else 0


@contextmanager
def _session(host: str) -> Iterator[KazooClient]:
    client = KazooClient(hosts=f"{host}:{CLOSED}", timeout=15)
    client.start(timeout=15)
    try:
        yield client
    finally:
        client.stop()
        client.close()


@contextmanager
def _waiting_client(hosts: Iterable[str]) -> Iterator[KazooClient]:
    """A client that tries again and again, as those do whose ensemble was stopped."""
    client = KazooClient(hosts=",".join(f"{host}:{PORT}" for host in hosts), timeout=15)
    client.start_async()
    try:
        yield client
    finally:
        client.stop()
        client.close()
