"""One platform for the whole test session, and a namespace of its own for each test.

A developer may lend a running platform: ZOOKEEPER_FUNCTIONS_PLATFORM=<its state folder>.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.platform.handle import Platform

LENT = "ZOOKEEPER_FUNCTIONS_PLATFORM"


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A running platform; parallel test processes (pytest-xdist) share one."""
    if lent := os.environ.get(LENT):
        yield Platform(Path(lent).absolute())
        return
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    shared = Platform(folder / "platform")
    users = folder / "platform-users"
    with _counted(users) as count:
        if count == 0:
            shared.local("up")
        users.write_text(str(count + 1))
    try:
        yield shared
    finally:
        with _counted(users) as count:
            users.write_text(str(count - 1))
            if count == 1:
                shared.local("down")


@contextmanager
def _counted(users: Path) -> Iterator[int]:
    """Hold the lock and tell how many test processes use the platform."""
    with users.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield int(users.read_text()) if users.exists() else 0


@pytest.fixture
def namespace(platform: Platform) -> Iterator[str]:
    """A fresh namespace; it goes away in the background after the test."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    platform.kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        platform.kubectl("delete", "namespace", name, "--wait=false")
