"""One suite for real ZooKeeper servers and their in-memory twin: what the functions rely on."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import pytest

from functions.adapters.memory import MemoryEnsemble, MemoryZooKeeper
from functions.adapters.zookeeper import ZooKeeperServers
from functions.api.errors import Conflict, Refused, Unavailable
from functions.api.ports import AGENT_PORT
from functions.planning.ensemble import DiskReport, EnsembleConfig, Login
from functions.planning.member_list import host_of, parse_member
from functions.pods.disk import Folders
from functions.pods.disk_report import disk_report
from functions.pods.endpoints import Endpoints, showing
from functions.runtime.world import ZooKeeper
from tests.contract.ensemble import PORT, RealEnsemble
from tests.contract.processes import until

pytestmark = pytest.mark.contract

PASSWORD = "secret"


class Side(Protocol):
    """Servers of one of the two kinds, and what a test does to them."""

    @property
    def zookeeper(self) -> ZooKeeper: ...

    @property
    def lines(self) -> list[str]:
        """The first member list."""
        ...

    def start(self, *ids: int) -> None: ...

    def stop(self, *ids: int) -> None: ...

    def join(self, id: int) -> None:
        """Start an empty server that the member list does not name yet."""
        ...

    def wipe(self, id: int) -> None:
        """Take the data of a server that is stopped."""
        ...


@dataclass
class Twin:
    zookeeper: MemoryZooKeeper
    ensemble: MemoryEnsemble
    lines: list[str]

    def start(self, *ids: int) -> None:
        self.ensemble.start(*ids)

    def stop(self, *ids: int) -> None:
        self.ensemble.stop(*ids)

    def join(self, id: int) -> None:
        self.ensemble.add(id, host_of(parse_member(self.lines[id - 1])), has_data=False)

    def wipe(self, id: int) -> None:
        self.ensemble.servers[id].has_data = False


@dataclass
class Real:
    zookeeper: ZooKeeperServers
    ensemble: RealEnsemble
    lines: list[str]

    def start(self, *ids: int) -> None:
        self.ensemble.start(*ids)

    def stop(self, *ids: int) -> None:
        self.ensemble.stop(*ids)

    def join(self, id: int) -> None:
        own = self.lines[id - 1].replace(":participant", ":observer")
        self.ensemble.start(id, extra=own)

    def wipe(self, id: int) -> None:
        shutil.rmtree(self.ensemble.folder / str(id) / "data/version-2")

    def agent(self, id: int) -> Endpoints:
        """Return the HTTP of an agent beside a server."""
        home = self.ensemble.folder / str(id)
        data = home / "data"
        folders = Folders(
            data=data, log=data, config=home, raw_config=home, static_config="zoo.cfg"
        )
        address = (host(self, id), AGENT_PORT)
        return Endpoints(address, {"/disk": showing(lambda: disk_report(folders))})


Sides = Callable[..., Side]


@pytest.fixture(params=["twin", "real"])
def servers(request: pytest.FixtureRequest) -> Sides:
    """Makes the first `members` of `count` servers one ensemble that is up."""

    def twin(count: int, members: int) -> Side:
        lines = [
            f"server.{id}=zoo-{id}:2888:3888:participant;0.0.0.0:2181" for id in range(1, count + 1)
        ]
        zookeeper = MemoryZooKeeper()
        return Twin(zookeeper, zookeeper.ensemble(lines[:members], password=PASSWORD), lines)

    def real(count: int, members: int) -> Side:
        ensemble = request.getfixturevalue("ensemble_of")(count)
        lines, ensemble.lines = ensemble.lines, ensemble.lines[:members]
        side = Real(ZooKeeperServers(), ensemble, lines)
        side.start(*range(1, members + 1))
        for id in range(1, members + 1):
            agent = side.agent(id)
            threading.Thread(target=agent.serve_forever, daemon=True).start()
            request.addfinalizer(agent.server_close)
            request.addfinalizer(agent.shutdown)
        return side

    def make(count: int, members: int | None = None) -> Side:
        side = (twin if request.param == "twin" else real)(count, members or count)
        for id in range(1, (members or count) + 1):
            until(partial(mode, side, id), f"server {id} serves")
        return side

    return make


def host(side: Side, id: int) -> str:
    return host_of(parse_member(side.lines[id - 1]))


def mode(side: Side, id: int) -> str:
    try:
        return side.zookeeper.stats(host(side, id), PORT).mode
    except Unavailable:
        return ""


def config(side: Side, id: int = 1) -> EnsembleConfig:
    return side.zookeeper.config(host(side, id), PORT)


def change(
    side: Side,
    *,
    at: int = 1,
    joining: str = "",
    leaving: str = "",
    from_config: int | None = None,
    passwords: Sequence[str] = (PASSWORD,),
) -> EnsembleConfig:
    version = config(side).version if from_config is None else from_config
    return side.zookeeper.reconfigure(
        host(side, at),
        PORT,
        joining=joining,
        leaving=leaving,
        from_config=version,
        login=Login(passwords),
    )


def follower(side: Side) -> int:
    return next(id for id in (1, 2, 3) if mode(side, id) == "follower")


def ids(found: EnsembleConfig) -> list[int]:
    return [member.id for member in found.members]


def test_three_servers_have_one_leader_and_one_member_list(servers: Sides) -> None:
    side = servers(3)
    assert sorted(mode(side, id) for id in (1, 2, 3)) == ["follower", "follower", "leader"]
    assert side.zookeeper.stats(host(side, 1), PORT).version == "3.9.5"
    assert config(side, 1) == config(side, 2)
    assert config(side).members == tuple(parse_member(line) for line in side.lines)


def test_looking_changes_nothing(servers: Sides) -> None:
    side = servers(1)
    before = side.zookeeper.stats(host(side, 1), PORT).zxid
    config(side)
    assert side.zookeeper.stats(host(side, 1), PORT).zxid == before


def test_a_member_leaves_and_joins_again_by_compare_and_set(servers: Sides) -> None:
    side = servers(3)
    first = config(side)
    leaver = follower(side)
    without = change(side, at=leaver, leaving=str(leaver))
    assert ids(without) == [id for id in (1, 2, 3) if id != leaver]
    assert without.version > first.version
    line = side.lines[leaver - 1]
    again = change(side, at=leaver, joining=line, from_config=without.version)
    assert again.members == first.members
    assert again.version > without.version
    until(lambda: config(side) == again, "server 1 has the new list", 5)
    until(
        lambda: side.zookeeper.stats(host(side, 1), PORT).zxid >= again.version,
        "server 1 shows the change as its last transaction",
        5,
    )


def test_an_old_version_is_a_conflict(servers: Sides) -> None:
    side = servers(3)
    first = config(side)
    leaver = follower(side)
    change(side, leaving=str(leaver))
    with pytest.raises(Conflict):
        change(side, joining=side.lines[leaver - 1], from_config=first.version)
    assert ids(config(side)) == [id for id in (1, 2, 3) if id != leaver]


def test_an_unconditional_change_is_refused(servers: Sides) -> None:
    side = servers(1)
    with pytest.raises(Refused):
        change(side, joining=side.lines[0], from_config=-1)


def test_one_of_several_passwords_is_enough(servers: Sides) -> None:
    """While the super user gets a new one, servers know the one they were started with."""
    side = servers(3)
    leaver = follower(side)
    change(side, at=leaver, leaving=str(leaver), passwords=["not yet", PASSWORD])
    change(side, at=leaver, joining=side.lines[leaver - 1], passwords=[PASSWORD, "no longer"])
    assert ids(config(side, leaver)) == [1, 2, 3]


def test_a_wrong_password_is_refused(servers: Sides) -> None:
    side = servers(3)
    with pytest.raises(Refused):
        change(side, leaving="3", passwords=["wrong", "wrong too"])
    assert ids(config(side)) == [1, 2, 3]


def test_a_bad_line_is_refused(servers: Sides) -> None:
    side = servers(1)
    with pytest.raises(Refused):
        change(side, joining="server.x=nonsense")


def test_a_new_server_follows_before_it_is_a_member_and_votes_after(servers: Sides) -> None:
    side = servers(2, members=1)
    side.join(2)
    until(lambda: mode(side, 2), "server 2 follows")
    assert ids(config(side)) == [1]
    assert ids(change(side, joining=side.lines[1])) == [1, 2]
    until(lambda: mode(side, 2) == "follower", "server 2 is a voter")


def test_members_that_are_not_up_cannot_be_a_majority(servers: Sides) -> None:
    side = servers(3, members=1)
    with pytest.raises(Refused, match="o quorum of the new members"):
        change(side, joining=",".join(side.lines[1:]))
    assert ids(config(side)) == [1]


def test_without_a_quorum_nobody_serves(servers: Sides) -> None:
    side = servers(3)
    before = config(side).version
    side.stop(2, 3)
    until(lambda: not mode(side, 1), "server 1 lost its quorum")
    assert side.zookeeper.stats(host(side, 1), PORT).mode == ""
    with pytest.raises(Unavailable):
        config(side)
    with pytest.raises(Unavailable):
        change(side, leaving="3", from_config=before)
    side.start(2)
    until(lambda: mode(side, 1), "server 1 serves again")
    assert config(side).version == before


def test_a_server_that_is_down_is_unavailable(servers: Sides) -> None:
    side = servers(3)
    before = config(side).version
    # Not the leader: while the others elect another one, nobody serves.
    down = next(id for id in (2, 3) if mode(side, id) == "follower")
    side.stop(down)
    with pytest.raises(Unavailable):
        side.zookeeper.stats(host(side, down), PORT)
    with pytest.raises(Unavailable):
        config(side, down)
    with pytest.raises(Unavailable):
        change(side, at=down, leaving="1", from_config=before)
    assert ids(config(side)) == [1, 2, 3]


def test_the_leader_leaves_and_the_others_go_on(servers: Sides) -> None:
    side = servers(3)
    leader = next(id for id in (1, 2, 3) if mode(side, id) == "leader")
    others = [id for id in (1, 2, 3) if id != leader]
    # The servers drop their clients while they change leader: the outcome may be unknown.
    with contextlib.suppress(Unavailable):
        change(side, at=others[0], leaving=str(leader))
    side.stop(leader)
    until(lambda: {mode(side, id) for id in others} == {"leader", "follower"}, "one leads")
    assert ids(config(side, others[0])) == others


def test_a_volume_says_what_it_holds_whether_its_server_serves_or_not(servers: Sides) -> None:
    side = servers(3)
    change(side, at=follower(side), leaving=str(follower(side)))
    newest = config(side)
    left = frozenset(ids(newest))
    first = min(left)
    until(lambda: disk(side, first).members == left, "the change is on disk", 5)
    until(lambda: (disk(side, first).zxid or 0) >= newest.version, "and in the log", 5)
    assert not disk(side, first).is_empty
    assert disk(side, first).voters == left
    assert disk(side, first).epoch == newest.version >> 32
    side.stop(*left)
    assert (disk(side, first).zxid or 0) >= newest.version
    side.wipe(first)
    assert disk(side, first).is_empty
    assert disk(side, first).zxid is None


def disk(side: Side, id: int) -> DiskReport:
    return side.zookeeper.disk(host(side, id))


def test_a_volume_without_an_agent_is_unavailable(servers: Sides) -> None:
    side = servers(2, members=1)
    with pytest.raises(Unavailable):
        disk(side, 2)


def test_a_server_that_may_not_change_its_list_says_which_setting_to_set(
    ensemble_of: Callable[..., RealEnsemble],
) -> None:
    ensemble = ensemble_of(1, reconfig=False)
    side = Real(ZooKeeperServers(), ensemble, ensemble.lines)
    side.start(1)
    until(partial(mode, side, 1), "server 1 serves")
    with pytest.raises(Refused, match="reconfigEnabled"):
        change(side, leaving="2")


@pytest.mark.parametrize(
    ("older_by", "role"),
    [
        pytest.param(0, "observer", id="the-same-version-is-kept"),
        pytest.param(1, "follower", id="an-older-one-gives-way-to-the-leaders"),
    ],
)
def test_a_server_reads_the_version_of_its_list_off_the_files_name(
    ensemble_of: Callable[..., RealEnsemble], older_by: int, role: str
) -> None:
    """What the preparation of a server with data relies on; a server outside the list follows."""
    ensemble = ensemble_of(3)
    lines, ensemble.lines = ensemble.lines, ensemble.lines[:2]
    side = Real(ZooKeeperServers(), ensemble, lines)
    side.start(1, 2)
    for id in (1, 2):
        until(partial(mode, side, id), f"server {id} serves")
    own = lines[2].replace(":participant", ":observer")
    ensemble.start(3, extra=own, version=config(side).version - older_by)
    until(lambda: mode(side, 3) == role, f"server 3 is {role}")
