"""The port behind which servers are looked at before clients are let in."""

from __future__ import annotations

from functions.api.cluster import ClusterSpec
from functions.api.ports import AGENT_PORT, PROGRESS_PORT, opened_ports

# A few numbers up are free in every spec: it names six ports at most.
_FIRST = 2189


def quarantine_port(it: ClusterSpec) -> int:
    """Return the client port of servers whose data was restored and has not been looked at yet.

    No client knows it, and nothing else in the pod listens there. On the pod's loopback it is where
    servers that take clients by TLS alone answer their own pod.
    """
    opened = opened_ports(it.config, it.admin_server, it.metrics, it.tls)
    taken = {AGENT_PORT, PROGRESS_PORT, it.admin_server.port, it.metrics.port, *opened}
    return next(port for port in range(_FIRST, 1 << 16) if port not in taken)
