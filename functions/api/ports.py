"""The rules about the ports of a server's pod: they all differ, and one of them is the agent's."""

from __future__ import annotations

from typing import Any

from functions.api.config import Config
from functions.api.exposure import AdminServer, Metrics
from functions.api.rules import Rule
from functions.api.tls import Tls

# Where the agent beside each server answers.
AGENT_PORT = 1988
# Where a program in a Job's pod tells how far it is.
PROGRESS_PORT = 1989

_SECURE = "(has(self.tls) && has(self.tls.client) ? self.tls.client.port : 0)"

# The ports of a spec; one that is not opened stands as 0.
_PORTS = (
    "[self.config.clientPort, self.config.followerPort, self.config.leaderElectionPort, "
    "self.adminServer.enabled ? self.adminServer.port : 0, "
    "self.metrics.enabled ? self.metrics.port : 0, "
    f"{_SECURE}]"
)


def opened_ports(config: Config, admin: AdminServer, metrics: Metrics, tls: Tls) -> list[int]:
    """Return every port that a spec opens in a server's pod."""
    ports = [config.client_port, config.follower_port, config.leader_election_port]
    ports += [admin.port] if admin.enabled else []
    ports += [metrics.port] if metrics.enabled else []
    ports += [tls.client.port] if tls.client is not None else []
    return ports


def _opened(spec: Any) -> list[int]:
    return opened_ports(spec.config, spec.admin_server, spec.metrics, spec.tls)


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
        lambda it: len(set(_opened(it))) == len(_opened(it)),
    ),
    Rule(
        f"!{_PORTS}.exists(port, port == {AGENT_PORT})",
        f"Port {AGENT_PORT} of each pod is the agent's. Choose another one.",
        lambda it: AGENT_PORT not in _opened(it),
    ),
)
