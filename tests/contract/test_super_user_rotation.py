"""A new super-user password on real servers, restarted one by one under a writer: no acknowledged
write is lost, and at every moment every server takes a change of the member list."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

from functions.adapters.zookeeper import ZooKeeperServers
from functions.api.errors import Refused, Unavailable
from functions.planning.ensemble import Login
from tests.contract.ensemble import PORT, RealEnsemble, fresh_hosts, line
from tests.contract.processes import until

pytestmark = [pytest.mark.contract, pytest.mark.soak]

BOTH = ["new", "old"]
IDS = (1, 2, 3)
ZOOKEEPER = ZooKeeperServers()


@contextmanager
def writing(hosts: list[str]) -> Iterator[list[str]]:
    """Write nodes all the time; the list has those that were acknowledged."""
    acknowledged: list[str] = []
    end = threading.Event()
    client = KazooClient(hosts=",".join(f"{host}:{PORT}" for host in hosts), timeout=10)
    client.start(timeout=30)

    def write() -> None:
        number = 0
        while not end.is_set():
            number += 1
            try:
                acknowledged.append(client.create(f"/written-{number}"))
            except KazooException:
                end.wait(0.05)  # Whether it was written is not known: nothing is promised.

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield acknowledged
    finally:
        end.set()
        thread.join(timeout=30)
        client.stop()
        client.close()


def serves(host: str) -> str:
    try:
        return ZOOKEEPER.stats(host, PORT).mode
    except Unavailable:
        return ""


def change(ensemble: RealEnsemble, host: str, passwords: list[str]) -> None:
    """Write the member list anew, as it is: a change like any other to the servers."""
    version = ZOOKEEPER.config(host, PORT).version
    ZOOKEEPER.reconfigure(
        host,
        PORT,
        joining=ensemble.lines[0],
        leaving="",
        from_config=version,
        login=Login(passwords),
    )


@pytest.mark.parametrize("version", ["3.6.4", "3.9.5"])
def test_every_server_can_be_told_of_members_while_passwords_change(
    tmp_path: Path, version: str
) -> None:
    hosts = fresh_hosts(3)
    lines = [line(id, host) for id, host in zip(IDS, hosts, strict=True)]
    ensemble = RealEnsemble(tmp_path, lines, password="old", version=version)
    ensemble.start(*IDS)
    try:
        until(lambda: all(map(serves, hosts)), "all servers serve", 60)
        with writing(hosts) as acknowledged:
            until(lambda: len(acknowledged) > 100, "the writer writes", 60)
            _roll(ensemble, hosts)
            count = len(acknowledged)
            until(lambda: len(acknowledged) > count + 100, "the writer goes on", 60)
        lost = {host: _missing(host, acknowledged) for host in hosts}
        sys.stdout.write(f"{version}: {len(acknowledged)} acknowledged, lost {lost}\n")
        assert lost == {host: [] for host in hosts}
        change(ensemble, hosts[0], ["new"])
    finally:
        ensemble.stop(*tuple(ensemble.running))


def _roll(ensemble: RealEnsemble, hosts: list[str]) -> None:
    """Restart the followers, then the leader, and ask every server after each."""
    ensemble.password = "new"
    for id in sorted(IDS, key=lambda id: serves(hosts[id - 1]) == "leader"):
        ensemble.stop(id)
        ensemble.start(id)
        until(lambda: all(map(serves, hosts)), "all servers serve again", 60)
        for host in hosts:
            until(partial(_is_changed, ensemble, host), f"a change at {host}", 30)
        with pytest.raises(Refused, match="super user's password"):
            change(ensemble, hosts[id - 1], ["old"])


def _is_changed(ensemble: RealEnsemble, host: str) -> bool:
    """Try; a server that is looking for its leader again says so, and is asked again."""
    try:
        change(ensemble, host, BOTH)
    except Unavailable:
        return False
    return True


def _missing(host: str, acknowledged: list[str]) -> list[str]:
    client = KazooClient(hosts=f"{host}:{PORT}", timeout=10)
    client.start(timeout=30)
    try:
        client.sync("/")
        there = {f"/{name}" for name in client.get_children("/")}
    finally:
        client.stop()
        client.close()
    return sorted(set(acknowledged) - there)
