"""What spec.tls rests on: real servers with the stores and the settings that the product makes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from functions.adapters.words import ask, parse_stats
from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import Unavailable
from functions.manifests.encryption import STORES_MOUNT, Encryption, Phase, tls_settings
from functions.pods.stores import Stores, write_stores
from tests.certificates import Authority, authority
from tests.contract.ensemble import PORT, RealEnsemble
from tests.contract.processes import until
from tests.system.talk import quorum_plain

pytestmark = pytest.mark.contract

SECURE, ELECTION = 2281, 3888
# How long a server may take to notice a file: Java on Linux is told by the kernel.
NOTICE_SECONDS = 20.0
VERSIONS = [
    pytest.param("3.6.4", marks=pytest.mark.soak),
    pytest.param("3.7.0", marks=pytest.mark.soak),
    pytest.param("3.8.4", marks=pytest.mark.soak),
    "3.9.5",
]


@dataclass
class Secrets:
    """A pod's Secrets, the stores that are made of them, and the authority behind both."""

    folder: Path
    names: list[str]
    by: Authority

    @property
    def stores(self) -> Stores:
        return Stores(self.folder / "secrets", self.folder / "stores", ("client", "quorum"))

    def issue(self, version: str) -> None:
        """Have new certificates made, as kubelet brings them in, and renew the stores."""
        content = self.by.secret(*self.names)
        for part in self.stores.parts:
            volume = self.folder / "secrets" / part
            (volume / version).mkdir(parents=True)
            for name, text in content.items():
                (volume / version / name).write_text(text)
            (volume / "..new").symlink_to(version)
            (volume / "..new").rename(volume / "..data")
        write_stores(self.stores)

    def context(self) -> ssl.SSLContext:
        """Return how a peer looks at a server: it shows a certificate too, and checks names."""
        newest = self.folder / "secrets/quorum/..data"
        made = ssl.create_default_context(cafile=newest / "ca.crt")
        made.load_cert_chain(newest / "tls.crt", newest / "tls.key")
        return made

    def serial(self, host: str, port: int) -> str:
        """Return the serial number of the certificate that a server shows."""
        with (
            socket.create_connection((host, port), timeout=5) as plain,
            self.context().wrap_socket(plain, server_hostname=host) as secure,
        ):
            return str((secure.getpeercert() or {})["serialNumber"])

    def newest(self) -> str:
        """Return the serial number of the newest certificate."""
        from cryptography import x509

        text = (self.folder / "secrets/quorum/..data/tls.crt").read_bytes()
        number = x509.load_pem_x509_certificate(text).serial_number
        return number.to_bytes((number.bit_length() + 7) // 8, "big").hex().upper()


def _settings(version: str, phase: Phase, stores: Path) -> dict[str, str]:
    tls = {"client": {"secretName": "a", "clientAuth": "want"}, "quorum": {"secretName": "b"}}
    spec = {"version": version, "tls": tls}
    made = ZooKeeperCluster.parse({"metadata": {"name": "zk", "namespace": "apps"}, "spec": spec})
    lines = tls_settings(made, Encryption(phase, "b"))
    return {key: str(text).replace(STORES_MOUNT, str(stores), 1) for key, text in lines.items()}


def _start(ensemble: RealEnsemble, hosts: dict[int, str], settings: dict[str, str]) -> None:
    for number, host in hosts.items():
        # On one machine every server has an address of its own, and here the port for TLS too.
        ensemble.settings = {**settings, "secureClientPortAddress": host}
        ensemble.start(number)


def _serves(host: str) -> bool:
    try:
        return bool(parse_stats(ask("srvr", host, PORT, timeout=2), host).mode)
    except Unavailable:
        return False


@pytest.mark.parametrize("version", VERSIONS)
def test_servers_with_our_stores_speak_tls_alone_and_take_a_renewed_certificate(
    ensemble_of: Callable[..., RealEnsemble], tmp_path: Path, version: str
) -> None:
    ensemble = ensemble_of(2, version=version)
    hosts = {
        number: line.partition("=")[2].partition(":")[0]
        for number, line in enumerate(ensemble.lines, 1)
    }
    secrets = Secrets(tmp_path, [*hosts.values(), "127.0.0.1"], authority())
    secrets.issue("1")
    _start(ensemble, hosts, _settings(version, Phase.REQUIRE, secrets.stores.stores))
    until(lambda: all(map(_serves, hosts.values())), "both serve")

    for host in hosts.values():
        assert quorum_plain(host, str(ELECTION)) == {"ended": True, "answer": ""}
        assert {secrets.serial(host, port) for port in (SECURE, ELECTION)} == {secrets.newest()}
    secrets.issue("2")
    reloads = (SECURE, ELECTION) if version == "3.9.5" else (ELECTION,)
    for host in hosts.values():
        for port in reloads:
            _until_shown(secrets, host, port)


def _until_shown(secrets: Secrets, host: str, port: int) -> None:
    def is_shown() -> bool:
        return secrets.serial(host, port) == secrets.newest()

    until(is_shown, f"{host}:{port} shows the renewed certificate", NOTICE_SECONDS)


NEIGHBOURS = [
    (Phase.PLAIN, Phase.ACCEPT), (Phase.ACCEPT, Phase.SPEAK), (Phase.SPEAK, Phase.REQUIRE),
]  # fmt: skip


@pytest.mark.soak
@pytest.mark.parametrize("version", ["3.6.4", "3.7.0", "3.8.4", "3.9.5"])
@pytest.mark.parametrize("phases", NEIGHBOURS, ids=lambda pair: "-".join(it.value for it in pair))
def test_servers_of_neighbouring_phases_make_a_quorum(
    ensemble_of: Callable[..., RealEnsemble],
    tmp_path: Path,
    version: str,
    phases: tuple[Phase, Phase],
) -> None:
    ensemble = ensemble_of(2, version=version)
    hosts = [line.partition("=")[2].partition(":")[0] for line in ensemble.lines]
    secrets = Secrets(tmp_path, [*hosts, "127.0.0.1"], authority())
    secrets.issue("1")
    for number, (host, phase) in enumerate(zip(hosts, phases, strict=True), 1):
        _start(ensemble, {number: host}, _settings(version, phase, secrets.stores.stores))
    until(lambda: all(map(_serves, hosts)), "both serve")
