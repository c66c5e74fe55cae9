"""What `tls.client.plaintext: false` rests on: servers that take clients by TLS alone.

Each listens without TLS on a loopback address alone, which its own member list names and no other
server's need (docs/decisions/0025). Here every server has a loopback address of its own, as a pod
has its own 127.0.0.1, so an open server is told from a closed one by the port.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient

from functions.adapters.zookeeper import ZooKeeperServers
from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import Unavailable
from functions.manifests.encryption import STORES_MOUNT, Encryption, tls_settings
from functions.planning.ensemble import EnsembleConfig, Login, Trust
from functions.pods.client_part import bind_clients
from functions.pods.disk import Folders
from functions.pods.endpoints import Endpoints
from functions.pods.server_reports import reports
from tests.certificates import authority
from tests.contract.ensemble import PORT, RealEnsemble
from tests.contract.processes import takes_connections, until
from tests.contract.test_tls import Secrets

pytestmark = pytest.mark.contract

INSIDE, SECURE, AGENT = 2189, 2281, 1988
SERVERS = ZooKeeperServers()
# For what is never let in: opening a session is tried until the time is over.
HASTY = ZooKeeperServers(change_seconds=2.0)


@dataclass
class Closable:
    """Servers with TLS for clients, which are started open or closed to all others."""

    ensemble: RealEnsemble
    hosts: dict[int, str]
    secrets: Secrets
    settings: dict[str, str]

    def start(self, number: int, *, is_closed: bool) -> None:
        """Start a server as its preparation would, by rewriting its own list where it has one."""
        host, home = self.hosts[number], self.ensemble.folder / str(number)
        folders = Folders(home / "data", home / "data", home, home / "none", "zoo.cfg")
        inside = f"{host}:{INSIDE}" if is_closed else ""
        if home.exists():
            _bind(folders, inside, f"{host}:{PORT}")
        else:
            lines = self.ensemble.lines
            self.ensemble.lines = [_with_client(line, inside) for line in lines]
            self.ensemble.settings = {**self.settings, "secureClientPortAddress": host}
            self.ensemble.start(number)
            self.ensemble.lines = lines
            return
        self.ensemble.start(number)

    def replace(self, number: int, *, is_closed: bool) -> None:
        self.ensemble.stop(number)
        self.start(number, is_closed=is_closed)
        until(lambda: self.serve(number), f"server {number} serves again")

    def serve(self, *numbers: int) -> bool:
        """Whether they serve, by their agents."""
        return all(_mode(self.hosts[number]) for number in numbers or self.hosts)

    def leader(self) -> int:
        return next(n for n, host in self.hosts.items() if _mode(host) == "leader")

    def epoch(self) -> int:
        return SERVERS.stats(self.hosts[self.leader()], AGENT).zxid >> 32

    def config(self) -> EnsembleConfig:
        return SERVERS.config(self.hosts[self.leader()], AGENT)

    def open_ones(self) -> list[int]:
        """Return who takes clients without TLS."""
        return [number for number, host in self.hosts.items() if takes_connections(host, PORT)]

    def login(self, *, key: bool = False, name: str = "", other: str = "") -> Login:
        """Return how the functions come in; `other`: the Secret was renewed since."""
        newest = self.secrets.folder / "secrets/client/..data"
        chain, kept, signed = ((newest / n).read_text() for n in ("tls.crt", "tls.key", "ca.crt"))
        trust = Trust(name, other or chain, signed, kept if key else "")
        return Login([self.ensemble.password], trust)

    def set_ports(
        self, host: str, login: Login, *, is_closed: bool, by: ZooKeeperServers = SERVERS
    ) -> EnsembleConfig:
        """Let the list say of every server where it listens, by a session by TLS."""
        lines = [
            _with_client(line, f"{self.hosts[n]}:{INSIDE}" if is_closed else "")
            for n, line in enumerate(self.ensemble.lines, 1)
        ]
        return by.reconfigure(
            host, SECURE, joining=",".join(lines), leaving="",
            from_config=self.config().version, login=login,
        )  # fmt: skip


def _bind(folders: Folders, inside: str, outside: str) -> None:
    """Do what the preparation does, which knows a closed server by 127.0.0.1."""
    text = folders.static_file.read_text()
    pointer = Path(re.findall(r"^dynamicConfigFile=(.+)$", text, re.MULTILINE)[-1])
    pointer.write_text(re.sub(r";127\.\S+:2189", ";127.0.0.1:2189", pointer.read_text()))
    bind_clients(folders, inside, outside)


def _with_client(line: str, client: str) -> str:
    return f"{line.partition(';')[0]};{client}" if client else line


def _mode(host: str) -> str:
    try:
        return SERVERS.stats(host, AGENT).mode
    except Unavailable:
        return ""


@contextmanager
def _agents(hosts: dict[int, str]) -> Iterator[None]:
    made = [Endpoints((host, AGENT), reports((PORT, INSIDE), host)) for host in hosts.values()]
    for agent in made:
        threading.Thread(target=agent.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield
    finally:
        for agent in made:
            agent.shutdown()
            agent.server_close()


@pytest.fixture
def closable(
    ensemble_of: Callable[..., RealEnsemble], tmp_path: Path
) -> Iterator[Callable[..., Closable]]:
    """Makes servers that are not started yet, with an agent beside each."""
    stack: list[Any] = []

    def make(count: int, version: str = "3.9.5", auth: str = "none") -> Closable:
        ensemble = ensemble_of(count, version=version)
        hosts = {
            n: line.partition("=")[2].partition(":")[0] for n, line in enumerate(ensemble.lines, 1)
        }
        secrets = Secrets(tmp_path / "tls", ["zk-0.zk", "localhost"], authority())
        secrets.issue("1")
        tls = {"client": {"secretName": "a", "clientAuth": auth}}
        spec = {"version": version, "tls": tls}
        cluster = ZooKeeperCluster.parse(
            {"metadata": {"name": "zk", "namespace": "apps"}, "spec": spec}
        )
        at = str(secrets.stores.stores)
        lines = tls_settings(cluster, Encryption()).items()
        settings = {key: str(text).replace(STORES_MOUNT, at, 1) for key, text in lines}
        stack.append(_agents(hosts))
        stack[-1].__enter__()
        return Closable(ensemble, hosts, secrets, settings)

    yield make
    for entered in stack:
        entered.__exit__(None, None, None)


@pytest.mark.parametrize("auth", ["need", pytest.param("none", marks=pytest.mark.soak)])
def test_a_closed_server_is_looked_at_by_its_agent_and_changed_by_tls(
    closable: Callable[..., Closable], auth: str
) -> None:
    made = closable(1, auth=auth)
    host = made.hosts[1]
    made.start(1, is_closed=True)
    until(made.serve, "it serves")
    assert (made.open_ones(), takes_connections(host, SECURE)) == ([], True)
    with pytest.raises(Unavailable, match="refused"):
        SERVERS.stats(host, PORT)
    first = made.config()
    assert [member.address.partition(";")[2] for member in first.members] == [f"{host}:{INSIDE}"]
    changed = made.set_ports(host, made.login(key=auth == "need"), is_closed=False)
    assert changed.version > first.version
    until(made.open_ones, "a newer list opens it while it runs")


def test_only_the_server_of_the_secret_is_trusted_with_the_password(
    closable: Callable[..., Closable],
) -> None:
    made = closable(1)
    host = made.hosts[1]
    made.start(1, is_closed=True)
    until(made.serve, "it serves")
    renewed = made.secrets.by.secret("zk-0.zk")["tls.crt"]
    made.set_ports(host, made.login(name="zk-0.zk", other=renewed), is_closed=True)
    strange = authority("others").secret("zk-0.zk")["tls.crt"]
    for login, told in (
        (made.login(name="another", other=renewed), "Hostname mismatch"),
        (Login(["secret"], Trust("zk-0.zk", strange, "", "")), "certificate verify failed"),
        (Login(["secret"], Trust("zk-0.zk", "none", "", "")), "opens no session"),
    ):
        with pytest.raises(Unavailable, match=told):
            made.set_ports(host, login, is_closed=True, by=HASTY)


@pytest.mark.soak
@pytest.mark.parametrize("version", ["3.6.4", "3.7.0", "3.8.4", "3.9.5"])
def test_servers_are_closed_one_by_one_and_whoever_was_connected_without_tls_is_out(
    closable: Callable[..., Closable], version: str
) -> None:
    made = closable(3, version=version)
    for number in made.hosts:
        made.start(number, is_closed=False)
    until(made.serve, "all serve")
    assert made.open_ones() == [1, 2, 3]
    plain = KazooClient(hosts=f"{made.hosts[1]}:{PORT}", timeout=15)
    plain.start(timeout=15)
    first = made.config().version

    leader, epoch = made.leader(), made.epoch()
    others = [number for number in made.hosts if number != leader]
    for number in (*others, leader):
        before = made.open_ones()
        made.replace(number, is_closed=True)
        assert made.open_ones() == [n for n in before if n != number]
    until(made.serve, "all serve")
    assert (made.open_ones(), made.epoch(), made.config().version) == ([], epoch + 1, first)
    assert not plain.connected
    plain.stop()
    plain.close()

    host = made.hosts[made.leader()]
    for is_closed, expected in ((True, []), (False, [1, 2, 3]), (True, [])):
        made.set_ports(host, made.login(), is_closed=is_closed)
        until(lambda: made.open_ones() == expected, f"the list moves them: {expected}", 10)  # noqa: B023
    assert made.serve()
    assert made.epoch() == epoch + 1, "nobody elected"

    for number in made.hosts:
        made.replace(number, is_closed=False)
    assert made.open_ones() == [1, 2, 3], "its own list opens each, whatever the others say"
