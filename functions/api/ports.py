"""The rules about the ports of a server's pod: they all differ, and one of them is the agent's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api.rules import Rule

if TYPE_CHECKING:
    from functions.api.cluster import ClusterSpec

# Where the agent beside each server answers.
AGENT_PORT = 1988

# The ports of a spec; one that is not opened stands as 0.
_PORTS = (
    "[self.config.clientPort, self.config.followerPort, self.config.leaderElectionPort, "
    "self.adminServer.enabled ? self.adminServer.port : 0, "
    "self.metrics.enabled ? self.metrics.port : 0]"
)


def _ports(it: ClusterSpec) -> list[int]:
    ports = [it.config.client_port, it.config.follower_port, it.config.leader_election_port]
    ports += [it.admin_server.port] if it.admin_server.enabled else []
    ports += [it.metrics.port] if it.metrics.enabled else []
    return ports


PORT_RULES = (
    Rule(
        "[self.config.clientPort, self.config.followerPort, self.config.leaderElectionPort]"
        f".all(port, {_PORTS}.exists_one(other, other == port)) && "
        "(!self.adminServer.enabled || !self.metrics.enabled || "
        "self.adminServer.port != self.metrics.port)",
        "Two ports of spec are the same. clientPort, followerPort and leaderElectionPort of "
        "spec.config, spec.adminServer.port and spec.metrics.port must all differ.",
        lambda it: len(set(_ports(it))) == len(_ports(it)),
    ),
    Rule(
        f"!{_PORTS}.exists(port, port == {AGENT_PORT})",
        f"Port {AGENT_PORT} of each pod is the agent's. Choose another one.",
        lambda it: AGENT_PORT not in _ports(it),
    ),
)
