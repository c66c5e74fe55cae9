"""`kubectl zk shell`: ZooKeeper's own client, inside the right server's pod."""

from __future__ import annotations

import argparse

from functions.api.cluster import ZooKeeperCluster
from functions.api.status import Server
from functions.manifests.names import SERVER_CONTAINER, ordinal_of
from kubectl_zk import finding
from kubectl_zk.problem import Problem
from kubectl_zk.session import Session
from kubectl_zk.words import listed


def shell(session: Session, asked: argparse.Namespace) -> int:
    """Run zkCli.sh there; with words after the server's name, only that command."""
    cluster = finding.cluster(session, asked.name)
    pod = _server(cluster, asked.server)
    terminal = ("-t",) if session.terminal.answer is not None and not asked.words else ()
    at = f"localhost:{cluster.spec.config.client_port}"
    return session.launch(
        ("exec", "-i", *terminal, "-n", session.namespace, pod, "-c", SERVER_CONTAINER, "--",
         "zkCli.sh", "-server", at, *asked.words)
    )  # fmt: skip


def _server(cluster: ZooKeeperCluster, wanted: str | None) -> str:
    """Return the pod that is meant: by its name, its ordinal or its role; else one that serves."""
    servers = cluster.status.servers
    if wanted in ("leader", "follower", "observer"):
        servers = tuple(it for it in servers if it.mode == wanted and it.ready == "true")
        return _first(cluster, servers, f"no {wanted} serves")
    if wanted is None:
        serving = tuple(it for it in servers if it.ready == "true")
        return _first(cluster, serving, "no server serves")
    name = f"{cluster.metadata.name}-{wanted}" if wanted.isdecimal() else wanted
    if name not in {server.name for server in servers}:
        raise Problem(
            f"{cluster.metadata.name} has no server {wanted}. There is: "
            f"{listed([server.name for server in servers])}; or say leader or follower."
        )
    return name


def _first(cluster: ZooKeeperCluster, servers: tuple[Server, ...], otherwise: str) -> str:
    if not servers:
        name = cluster.metadata.name
        raise Problem(f"Of {name} {otherwise} now. Look with `kubectl zk status {name}`.")
    return min(servers, key=lambda it: ordinal_of(cluster, it.name) or 0).name
