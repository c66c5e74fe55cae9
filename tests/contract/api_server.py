"""A real etcd and kube-apiserver on loopback, from the laptop platform's programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.contract.processes import free_ports, running, until

KUBERNETES = "v1.36.3"
REPOSITORY = Path(__file__).parents[2]


def cache_folder() -> Path:
    """Return where the laptop platform keeps what it built."""
    if given := os.environ.get("ZOOKEEPER_FUNCTIONS_CACHE"):
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "zookeeper-functions"


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A real API server of its own: `token` is an administrator's, `stranger` may do nothing."""

    url: str
    token: str
    stranger: str
    ca: Path
    state: Path
    kubeconfig: Path
    log: Path

    def call(self, method: str, path: str, body: Any = None, **query: str) -> dict[str, Any]:
        """Send one plain request as the administrator; fails on any refusal."""
        status, answer = self.ask(method, path, body, **query)
        assert status < 300, f"{method} {path}: {answer}"
        return answer

    def ask(
        self, method: str, path: str, body: Any = None, **query: str
    ) -> tuple[int, dict[str, Any]]:
        """Send one plain request as the administrator; returns the status and the answer."""
        with urllib3.PoolManager(ca_certs=str(self.ca)) as pool:
            answer = pool.request(
                method,
                f"{self.url}{path}?{urlencode(query)}",
                json=body,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=10,
                retries=False,
            )
            return answer.status, answer.json()


@contextmanager
def started(state: Path) -> Iterator[ApiServer]:
    """Run an API server with our CRDs and nothing else; its files are in `state`."""
    etcd_port, peer_port, api_port = free_ports(3)
    server = ApiServer(
        url=f"https://127.0.0.1:{api_port}",
        token="administrator-token",
        stranger="stranger-token",
        ca=state / "certificates" / "apiserver.crt",
        state=state,
        kubeconfig=state / "kubeconfig",
        log=state / "kube-apiserver.log",
    )
    _write_access(server)
    # The API server stops first: without its etcd it would linger.
    with (
        running(_etcd(state, etcd_port, peer_port), state / "etcd.log"),
        running(_kube_apiserver(state, etcd_port, api_port), server.log) as process,
    ):
        until(lambda: _is_ready(server, process), f"the API server is ready (see {server.log})")
        _install_crds(server)
        yield server


def control_plane(name: str) -> str:
    """Return the path of a control-plane program."""
    folders = [cache_folder() / "control-plane" / KUBERNETES]
    if given := os.environ.get("KUBEBUILDER_ASSETS"):
        folders.insert(0, Path(given))
    for folder in folders:
        if (folder / name).is_file():
            return str(folder / name)
    pytest.fail(f"{name} {KUBERNETES} is not in {' or '.join(map(str, folders))}: run `make setup`")


def _etcd(state: Path, port: int, peer_port: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    return [
        control_plane("etcd"),
        f"--data-dir={state / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _kube_apiserver(state: Path, etcd_port: int, port: int) -> list[str]:
    return [
        control_plane("kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--cert-dir={state / 'certificates'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={state / 'service-account.pub'}",
        f"--service-account-signing-key-file={state / 'service-account.key'}",
        f"--token-auth-file={state / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        # There is no controller manager here that would make the accounts this looks for.
        "--disable-admission-plugins=ServiceAccount",
    ]


def _write_access(server: ApiServer) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (server.state / "service-account.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (server.state / "service-account.pub").write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    (server.state / "tokens.csv").write_text(
        f'{server.token},admin,admin,"system:masters"\n{server.stranger},stranger,stranger\n'
    )
    server.kubeconfig.write_text(yaml.safe_dump(kubeconfig(server, {"token": server.token})))


def kubeconfig(server: ApiServer, user: dict[str, Any]) -> dict[str, Any]:
    """Return a kubeconfig for `server` with one user."""
    cluster = {"server": server.url, "certificate-authority": str(server.ca)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "current-context": "here",
    }


def _is_ready(server: ApiServer, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        pytest.fail(f"kube-apiserver ended: {server.log.read_text()[-2000:]}")
    try:
        return server.ca.exists() and server.ask("GET", "/api/v1/namespaces/default")[0] == 200
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        return False


def _install_crds(server: ApiServer) -> None:
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for path in sorted((REPOSITORY / "crds").glob("*.yaml")):
        for crd in yaml.safe_load_all(path.read_text()):
            if crd.get("kind") != "CustomResourceDefinition":
                continue
            name = server.call("POST", crds, crd)["metadata"]["name"]
            until(partial(_is_established, server, f"{crds}/{name}"), f"{name} is served")


def _is_established(server: ApiServer, path: str) -> bool:
    conditions = server.call("GET", path).get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
