"""The rules about the ports of a server's pod: they all differ, and one of them is the agent's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api.rules import Rule

if TYPE_CHECKING:
    from functions.api.cluster import ClusterSpec

# Where the agent beside each server answers.
AGENT_PORT = 1988
# Where a program in a Job's pod tells how far it is.
PROGRESS_PORT = 1989
# A few numbers up are free in every spec: it names six ports at most.
_FIRST_QUARANTINE_PORT = 2189

_SECURE = "(has(self.tls) && has(self.tls.client) ? self.tls.client.port : 0)"

# The ports of a spec; one that is not opened stands as 0.
_PORTS = (
    "[self.config.clientPort, self.config.followerPort, self.config.leaderElectionPort, "
    "self.adminServer.enabled ? self.adminServer.port : 0, "
    "self.metrics.enabled ? self.metrics.port : 0, "
    f"{_SECURE}]"
)


def _ports(it: ClusterSpec) -> list[int]:
    ports = [it.config.client_port, it.config.follower_port, it.config.leader_election_port]
    ports += [it.admin_server.port] if it.admin_server.enabled else []
    ports += [it.metrics.port] if it.metrics.enabled else []
    ports += [it.tls.client.port] if it.tls.client is not None else []
    return ports


def quarantine_port(it: ClusterSpec) -> int:
    """Return the client port of servers whose data was restored and has not been looked at yet.

    No client knows it, and nothing else in the pod listens there. On the pod's loopback it is where
    servers that take clients by TLS alone answer their own pod.
    """
    taken = {AGENT_PORT, PROGRESS_PORT, it.admin_server.port, it.metrics.port, *_ports(it)}
    return next(port for port in range(_FIRST_QUARANTINE_PORT, 1 << 16) if port not in taken)


PORT_RULES = (
    Rule(
        "[self.config.clientPort, self.config.followerPort, self.config.leaderElectionPort]"
        f".all(port, {_PORTS}.exists_one(other, other == port)) && "
        "(!self.adminServer.enabled || !self.metrics.enabled || "
        f"self.adminServer.port != self.metrics.port) && ({_SECURE} == 0 || "
        f"{_PORTS}.exists_one(port, port == {_SECURE}))",
        "Two ports of spec are the same. clientPort, followerPort and leaderElectionPort of "
        "spec.config, spec.adminServer.port, spec.metrics.port and spec.tls.client.port must all "
        "differ.",
        lambda it: len(set(_ports(it))) == len(_ports(it)),
    ),
    Rule(
        f"!{_PORTS}.exists(port, port == {AGENT_PORT})",
        f"Port {AGENT_PORT} of each pod is the agent's. Choose another one.",
        lambda it: AGENT_PORT not in _ports(it),
    ),
)
