"""The twins of the programs in Jobs' pods and of AdminServers: what a test says they answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from functions.adapters.memory.faults import Faults
from functions.api.errors import Unavailable
from functions.planning.progress import Progress


@dataclass
class MemoryJobPrograms:
    """Programs that run, by the address of their pod."""

    faults: Faults = field(default_factory=Faults)
    running: dict[str, Progress] = field(default_factory=dict)

    def progress(self, host: str) -> Progress:
        with self.faults.around():
            if host not in self.running:
                raise Unavailable(f"{host} cannot be asked `GET /progress`: nobody is there.")
            return self.running[host]


@dataclass
class MemoryAdminServers:
    """AdminServers by host and port, each with the id of the leader it names; 0 names none."""

    faults: Faults = field(default_factory=Faults)
    leaders: dict[tuple[str, int], int] = field(default_factory=dict)

    def leader(self, host: str, port: int) -> int:
        with self.faults.around():
            found = self.leaders.get((host, port))
            if found is None:
                raise Unavailable(
                    f"{host}:{port} cannot be asked `GET /commands/leader`: nobody is there."
                )
            if not found:
                raise Unavailable(f"The AdminServer {host}:{port} names no leader.")
            return found
