"""The server of this pod as its environment describes it, and how the member list names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Server:
    """Who this pod is and how its peers are addressed."""

    cluster: str
    namespace: str
    pod: str
    pod_uid: str
    address: str
    claim: str
    domain: str
    ports: tuple[str, str, str]
    closed_port: str
    inside: str = ""
    """Where the server listens without TLS on its pod's loopback; empty: it is open to clients."""

    @classmethod
    def described_by(cls, env: Mapping[str, str]) -> Self:
        """Return the server that the pod's environment describes."""
        return cls(
            cluster=env["CLUSTER"],
            namespace=env["NAMESPACE"],
            pod=env["POD_NAME"],
            pod_uid=env["POD_UID"],
            address=env.get("POD_IP", ""),
            claim=env["CLAIM"],
            domain=env["DOMAIN"],
            ports=(env["FOLLOWER_PORT"], env["LEADER_ELECTION_PORT"], env["CLIENT_PORT"]),
            closed_port=env["QUARANTINE_PORT"],
            inside=env.get("INSIDE_ADDRESS", ""),
        )

    @property
    def ordinal(self) -> int:
        return int(self.pod.rpartition("-")[2])

    @property
    def id(self) -> int:
        return self.ordinal + 1

    @property
    def name(self) -> str:
        return self._name(self.id)

    def _name(self, server_id: int) -> str:
        return f"{self.pod.rpartition('-')[0]}-{server_id - 1}.{self.domain}"

    def line(self, server_id: int, role: str, *, is_closed: bool = False) -> str:
        """Return the right-hand side of `server.<id>=` in the member list."""
        follower, election, _ = self.ports
        client = self.inside or self.outside(is_closed=is_closed)
        return f"{self._name(server_id)}:{follower}:{election}:{role};{client}"

    def outside(self, *, is_closed: bool) -> str:
        """Return where a server listens that does not do so on its pod's loopback."""
        return f"0.0.0.0:{self.closed_port if is_closed else self.ports[2]}"
