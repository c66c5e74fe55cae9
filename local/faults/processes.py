"""Signals to the processes of a container: it is a PID namespace of its own."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from local.faults.pods import Container

PROC = Path("/proc")
# A process may start another one while it is being stopped; a few rounds find that one too.
ROUNDS = 5


def kill(container: Container) -> None:
    """The end of its first process is the end of all."""
    _send(container.pid, signal.SIGKILL)


def pause(container: Container) -> None:
    for _ in range(ROUNDS):
        moving = [pid for pid in members(container) if not is_stopped(pid)]
        if not moving:
            return
        for pid in moving:
            _send(pid, signal.SIGSTOP)


def resume(container: Container) -> None:
    for pid in members(container):
        _send(pid, signal.SIGCONT)


def is_paused(container: Container) -> bool:
    return container.pid != 0 and is_stopped(container.pid)


def members(container: Container) -> list[int]:
    """Return every process of the container's PID namespace."""
    space = _space(container.pid)
    pids = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
    return [pid for pid in pids if space and _space(pid) == space]


def is_stopped(pid: int) -> bool:
    """Whether a signal stopped it; a process that is gone counts as not."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] == "T"


def _space(pid: int) -> str:
    try:
        return str((PROC / str(pid) / "ns/pid").readlink())
    except OSError:
        return ""


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
