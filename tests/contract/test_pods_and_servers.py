"""What the agent rests on: how real servers hang up, and what they leave on disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from kazoo.client import KazooClient

from functions.adapters.words import ask, parse_stats
from functions.api.errors import Unavailable
from functions.planning.member_list import host_of, parse_member
from functions.pods.last_zxid import last_zxid
from functions.pods.role import CALM_SECONDS, roles
from tests.contract.ensemble import PORT, RealEnsemble
from tests.contract.processes import until

pytestmark = pytest.mark.contract


@dataclass
class Watched:
    """A server's roles as an agent beside it sees them: each change and its time, and the looks."""

    host: str
    looks: int = 0
    changes: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        for role in roles(PORT, self.host):
            self.looks += 1
            if role != self.role:
                self.changes.append((role, time.monotonic()))

    @property
    def role(self) -> str:
        return self.changes[-1][0] if self.changes else ""


def test_a_lost_leader_is_known_to_every_agent_at_once(
    ensemble_of: Callable[..., RealEnsemble],
) -> None:
    ensemble = ensemble_of(3)
    watched = {id: Watched(_host(line)) for id, line in enumerate(ensemble.lines, start=1)}
    ensemble.start(1, 2, 3)
    until(lambda: sorted(w.role for w in watched.values())[1:] == ["follower", "leader"], "quorum")
    until(lambda: all(w.role != "none" for w in watched.values()), "all to serve")
    leader = next(id for id, w in watched.items() if w.role == "leader")
    left = [w for id, w in watched.items() if id != leader]
    for one in left:
        one.changes.clear()
    ended = time.monotonic()
    ensemble.stop(leader)
    until(lambda: sorted(one.role for one in left) == ["follower", "leader"], "the next leader")
    for one in left:
        role, seen = one.changes[0]
        assert role == "none"
        assert seen - ended < CALM_SECONDS / 3, "it is heard, not found out by asking"


@pytest.mark.soak
def test_a_server_that_keeps_its_role_is_asked_a_few_times_a_minute(
    ensemble_of: Callable[..., RealEnsemble],
) -> None:
    ensemble = ensemble_of(1)
    watched = Watched(_host(ensemble.lines[0]))
    ensemble.start(1)
    until(lambda: watched.role == "leader", "it to lead")
    before, begun = watched.looks, time.monotonic()
    until(lambda: watched.looks > before + 1, "the second look", 3 * CALM_SECONDS)
    assert time.monotonic() - begun > CALM_SECONDS / 2
    assert [role for role, _ in watched.changes] == ["none", "leader"]


def test_what_a_server_has_said_yes_to_is_read_from_its_disk(
    ensemble_of: Callable[..., RealEnsemble],
) -> None:
    """While it runs, and after its end: with and without a tail that was allocated ahead."""
    ensemble = ensemble_of(1)
    ensemble.start(1)
    host, files = _host(ensemble.lines[0]), ensemble.folder / "1/data/version-2"
    until(lambda: _zxid(host), "it to lead")
    client = KazooClient(hosts=f"{host}:{PORT}", timeout=15)
    client.start(timeout=15)
    try:
        for number in range(50):
            client.create(f"/{number}", b"x" * number * 100)
        assert last_zxid(files, files) == _zxid(host) == client.get("/49")[1].czxid
    finally:
        client.stop()
        client.close()
    last = _zxid(host)
    ensemble.stop(1)
    assert last_zxid(files, files) == last


def _zxid(host: str) -> int:
    """Return the last transaction the server knows of; 0 while it does not serve."""
    try:
        return parse_stats(ask("srvr", host, PORT, timeout=5), host).zxid
    except Unavailable:
        return 0


def _host(line: str) -> str:
    return host_of(parse_member(line))
