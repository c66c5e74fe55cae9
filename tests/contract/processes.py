"""Processes of the contract tests: start, wait for, stop; nothing outlives the tests."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

START_SECONDS = 60.0
STOP_SECONDS = 10.0

Found = TypeVar("Found")


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 nobody listens on, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def takes_connections(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


def until(look: Callable[[], Found | None], what: str, seconds: float = START_SECONDS) -> Found:
    """Return the first truth that `look` finds; fails when there is none within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)
    return found


@contextmanager
def running(
    command: list[str], log: Path, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server; it also ends when this process is killed."""
    with log.open("ab") as out:
        server = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command], stdout=out, stderr=out, cwd=cwd
        )
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
