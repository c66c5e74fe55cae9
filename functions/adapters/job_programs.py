"""Asking a program in a Job's pod how far it is, and an AdminServer who leads: one GET each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.adapters.http import get_json
from functions.api.errors import Unavailable
from functions.planning.progress import Progress

# `functions.api.ports` says the same to the pods; reading it here would load the API's models.
PROGRESS_PORT = 1989
LONGEST_PHASE = 64
LARGEST_COUNT = (1 << 63) - 1


class HttpJobPrograms:
    """The programs in the Jobs' pods. Satisfies `functions.runtime.world.JobPrograms`."""

    def __init__(self, *, timeout: float, port: int = PROGRESS_PORT) -> None:
        self._timeout = timeout
        self._port = port

    def progress(self, host: str) -> Progress:
        """Ask `GET /progress`."""
        told = get_json("/progress", host, self._port, timeout=self._timeout)
        return progress_of(told, f"{host}:{self._port}")


def progress_of(told: Mapping[str, Any], where: str) -> Progress:
    """Return what a program's JSON says; raises Unavailable when it is not one of a program."""
    done, total, phase = told.get("done"), told.get("total"), told.get("phase")
    if not (_is_count(done) and _is_count(total) and isinstance(phase, str)):
        raise Unavailable(f"{where} does not say how far it is as a program does.")
    return Progress(int(done or 0), int(total or 0), phase[:LONGEST_PHASE])


class HttpAdminServers:
    """ZooKeeper's AdminServers. Satisfies `functions.runtime.world.AdminServers`."""

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout

    def leader(self, host: str, port: int) -> int:
        """Ask `GET /commands/leader`, which there is from ZooKeeper 3.6 on (seed defect C16)."""
        told = get_json("/commands/leader", host, port, timeout=self._timeout)
        found = told.get("leader_id")
        if not _is_count(found) or not found:
            raise Unavailable(f"The AdminServer {host}:{port} names no leader.")
        return int(found)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT
