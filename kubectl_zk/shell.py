"""`kubectl zk shell`: ZooKeeper's own client, inside the right server's pod."""

from __future__ import annotations

import argparse

from functions.api.cluster import ZooKeeperCluster
from functions.api.quarantine import quarantine_port
from functions.api.status import Server
from functions.manifests.names import SERVER_CONTAINER, ordinal_of
from kubectl_zk import finding
from kubectl_zk.problem import Problem
from kubectl_zk.session import Session
from kubectl_zk.words import listed

# The client logs as the server does, to the same console that the answer goes to. Its log is turned
# down: for logback (from 3.8 on) and for log4j, whose quiet file lies beside the server's ($0).
QUIETLY = """\
quiet=/tmp/zkcli-logback.xml
echo '<configuration><root level="ERROR"/></configuration>' 2>/dev/null > "$quiet" &&
    CLIENT_JVMFLAGS="$CLIENT_JVMFLAGS -Dlogback.configurationFile=$quiet"
export CLIENT_JVMFLAGS="$CLIENT_JVMFLAGS -Dlog4j.configuration=file:$0/log4j-quiet.properties"
exec zkCli.sh "$@"
"""


def shell(session: Session, asked: argparse.Namespace) -> int:
    """Run zkCli.sh there; with words after the server's name, only that command."""
    cluster = finding.cluster(session, asked.name)
    pod = _server(cluster, asked.server)
    terminal = ("-t",) if session.terminal.answer is not None and not asked.words else ()
    at = ",".join(f"localhost:{port}" for port in _ports(cluster))
    client = ("bash", "-c", QUIETLY, cluster.spec.config.config_dir, "-server", at, *asked.words)
    where = ("-n", session.namespace, pod, "-c", SERVER_CONTAINER)
    return session.launch(("exec", "-i", *terminal, *where, "--", *client))


def _ports(cluster: ZooKeeperCluster) -> list[int]:
    """Return where a server may answer its own pod; zkCli.sh finds the one that it does."""
    port = cluster.spec.config.client_port
    return [port] if cluster.spec.tls.client is None else [quarantine_port(cluster.spec), port]


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
