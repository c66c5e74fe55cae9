"""What spec.login rests on: real servers with the file and the flags that the product makes."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import AuthFailedError, NoAuthError, SessionClosedRequireSaslError
from kazoo.security import make_acl

from functions.adapters.digest_md5 import log_in
from functions.adapters.words import ask, parse_stats
from functions.adapters.zookeeper import ZooKeeperServers
from functions.api.errors import Refused, Unavailable
from functions.manifests.digests import super_user_digest
from functions.manifests.login import JAAS_FILE, Login, login_flags
from functions.planning.ensemble import Login as Secrets
from functions.planning.users import User, jaas
from local.node.pull import fetch
from tests.contract.ensemble import PORT, RealEnsemble
from tests.contract.processes import until

pytestmark = pytest.mark.contract

SECONDS = 10.0
ALICE, BOB = User("alice", "wonder land"), User("bob.the-builder_2", "can we fix it?")
# All that may stand in a password and means something to JAAS, to Java or to a shell.
EVE = User("eve", "\"; };\\ Client { a=\"b\\n $(c) ${'d' // /* #".replace("${", "$ {"))
USERS = (ALICE, BOB, EVE)
NETTY = {"serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory"}
CASES = [
    pytest.param("3.6.4", {}, id="3.6.4", marks=pytest.mark.soak),
    pytest.param("3.7.0", {}, id="3.7.0", marks=pytest.mark.soak),
    pytest.param("3.8.4", {}, id="3.8.4", marks=pytest.mark.soak),
    pytest.param("3.9.5", {}, id="3.9.5"),
    pytest.param("3.9.5", NETTY, id="3.9.5-netty", marks=pytest.mark.soak),
]


class Server:
    """One real server that knows the users."""

    def __init__(self, ensemble: RealEnsemble, folder: Path) -> None:
        self.ensemble = ensemble
        self.host = ensemble.lines[0].partition("=")[2].partition(":")[0]
        self._file = folder / "jaas.conf"
        self._file.write_text(jaas(USERS, super_user_digest(ensemble.password)))

    def start(self, *, is_required: bool) -> None:
        """Start it, or start it again, with the flags of a template."""
        if self.ensemble.running:
            self.ensemble.stop(1)
        flags = login_flags(Login("users", is_required=is_required))
        self.ensemble.flags = [flag.replace(JAAS_FILE, str(self._file)) for flag in flags]
        self.ensemble.start(1)
        until(self._serves, "it serves", 120)

    def _serves(self) -> bool:
        try:
            return bool(parse_stats(ask("srvr", self.host, PORT, timeout=2), self.host).mode)
        except Unavailable:
            return False

    @contextmanager
    def session(self, user: User | None = None, **options: Any) -> Iterator[KazooClient]:
        """Open a session, as a user or as nobody."""
        client = KazooClient(
            hosts=f"{self.host}:{PORT}", timeout=SECONDS,
            connection_retry={"max_tries": 0}, command_retry={"max_tries": 0}, **options,
        )  # fmt: skip
        client.start(timeout=SECONDS)
        try:
            if user is not None:
                log_in(client, user.name, user.password, SECONDS)
            yield client
        finally:
            client.stop()
            client.close()

    def change_members(self, *passwords: str) -> None:
        """Write the member list anew as the functions do: a change like any other."""
        servers = ZooKeeperServers()
        servers.reconfigure(
            self.host,
            PORT,
            joining=self.ensemble.lines[0],
            leaving="",
            from_config=servers.config(self.host, PORT).version,
            login=Secrets(passwords),
        )


@pytest.fixture
def server_of(ensemble_of: Callable[..., RealEnsemble], tmp_path: Path) -> Callable[..., Server]:
    return lambda **options: Server(ensemble_of(1, **options), tmp_path)


@pytest.mark.parametrize(("version", "settings"), CASES)
def test_users_log_in_own_nodes_and_nobody_else_comes_in_where_they_must(
    server_of: Callable[..., Server], version: str, settings: dict[str, str]
) -> None:
    server = server_of(version=version, settings=settings)
    server.start(is_required=False)
    only_alice = [make_acl("sasl", ALICE.name, all=True)]
    with server.session(ALICE) as session:
        session.create("/of-alice", b"hers", acl=only_alice)
        assert session.get("/of-alice")[0] == b"hers"
    for other in (None, BOB, EVE):
        with server.session(other) as session, pytest.raises(NoAuthError):
            session.get("/of-alice")
    for wrong in (User("alice", "wrong"), User("nobody", "whatever")):
        with pytest.raises(AuthFailedError), server.session(wrong):
            pass
    server.change_members("secret")

    server.start(is_required=True)
    for made_up in ([], [("digest", "anybody:anything")]):
        with (
            server.session(auth_data=made_up) as session,
            pytest.raises(SessionClosedRequireSaslError),
        ):
            session.get("/")
    with server.session(ALICE) as session:
        assert session.get("/of-alice")[0] == b"hers"
    server.change_members("a former one", "secret")
    with pytest.raises(Refused, match="does not know us"):
        server.change_members("a former one")


@pytest.mark.soak
def test_a_made_up_digest_passes_for_a_login_where_the_servers_take_digests_for_one(
    server_of: Callable[..., Server],
) -> None:
    """Why the functions log in as users do, instead of `enforce.auth.schemes=digest,sasl`."""
    enforced = {"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest,sasl"}
    server = server_of(settings=enforced)
    server.start(is_required=False)
    with server.session() as session, pytest.raises(SessionClosedRequireSaslError):
        session.get("/")
    with server.session(auth_data=[("digest", "anybody:anything")]) as session:
        assert session.exists("/")


def _client(folder: Path, user: User) -> Path:
    """Return a Java client's file, as the manual has it."""
    password = user.password.replace("\\", "\\\\").replace('"', '\\"')
    path = folder / f"{user.name}.jaas"
    path.write_text(
        "Client {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n"
        f'  username="{user.name}"\n  password="{password}";\n}};\n'
    )
    return path


@pytest.mark.soak
@pytest.mark.parametrize("version", ["3.6.4", "3.7.0", "3.8.4", "3.9.5"])
def test_zookeepers_own_client_logs_in_with_any_password_that_is_taken(
    server_of: Callable[..., Server], tmp_path: Path, version: str
) -> None:
    server = server_of(version=version)
    server.start(is_required=True)
    jars = asyncio.run(fetch(version)) / "lib"
    for user in USERS:
        login = f"-Djava.security.auth.login.config={_client(tmp_path, user)}"
        acl = f"sasl:{user.name}:cdrwa"
        command = [
            "java",
            "-Xmx64m",
            # From 3.9 on a client takes DIGEST-MD5 for forbidden unless it is told otherwise.
            "-Dzookeeper.fips-mode=false",
            login,
            "-cp",
            f"{jars}/*",
            "org.apache.zookeeper.ZooKeeperMain",
        ]
        said = subprocess.run(
            [*command, "-server", f"{server.host}:{PORT}", "create", f"/{user.name}", "x", acl],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert f"Created /{user.name}" in said.stdout + said.stderr
        with server.session(user) as session:
            assert session.get(f"/{user.name}")[0] == b"x"
