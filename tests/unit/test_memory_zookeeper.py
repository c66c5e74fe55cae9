"""The twin of ZooKeeper beyond the contract: empty disks, observers, leaders, lost answers."""

from __future__ import annotations

import pytest

from functions.adapters.memory import MemoryEnsemble, MemoryZooKeeper
from functions.api.errors import Refused, Unavailable
from functions.planning.ensemble import Login, Member
from functions.planning.member_list import host_of, line_of, parse_config, parse_member


def lines(*ids: int) -> list[str]:
    return [f"server.{id}=zoo-{id}:2888:3888:participant;0.0.0.0:2181" for id in ids]


def three() -> tuple[MemoryZooKeeper, MemoryEnsemble]:
    zookeeper = MemoryZooKeeper()
    return zookeeper, zookeeper.ensemble(lines(1, 2, 3))


def modes(zookeeper: MemoryZooKeeper, *ids: int) -> list[str]:
    return [zookeeper.stats(f"zoo-{id}", 2181).mode for id in ids]


def test_a_leader_stays_until_it_is_gone() -> None:
    zookeeper, ensemble = three()
    assert modes(zookeeper, 1, 2, 3) == ["follower", "follower", "leader"]
    ensemble.stop(3)
    assert modes(zookeeper, 1, 2) == ["follower", "leader"]
    ensemble.start(3)
    assert modes(zookeeper, 1, 2, 3) == ["follower", "leader", "follower"]
    assert ensemble.elections == 2


def test_servers_move_to_the_client_port_of_a_new_list_while_they_run() -> None:
    zookeeper, _ = three()
    before = zookeeper.config("zoo-1", 2181)
    closed = [line.replace("2181", "2189") for line in lines(1, 2, 3)]
    joining = {"joining": ",".join(closed), "leaving": "", "from_config": before.version}
    zookeeper.reconfigure("zoo-1", 2181, **joining, login=Login(["secret"]))  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        zookeeper.stats("zoo-1", 2181)
    assert zookeeper.stats("zoo-3", 2189).mode == "leader"


def test_an_empty_server_never_votes() -> None:
    zookeeper, ensemble = three()
    modes(zookeeper, 1)
    ensemble.stop(1, 2, 3)
    for id in (1, 2):
        ensemble.servers[id].has_data = False
    ensemble.start(1, 2, 3)
    assert modes(zookeeper, 1, 2, 3) == ["", "", ""]


def test_an_empty_server_gets_the_data_of_a_quorum() -> None:
    zookeeper, ensemble = three()
    ensemble.stop(1)
    ensemble.servers[1].has_data = False
    ensemble.start(1)
    assert modes(zookeeper, 1) == ["follower"]
    ensemble.stop(3)
    assert modes(zookeeper, 1, 2) == ["follower", "leader"]


def test_a_change_may_take_effect_although_its_answer_is_lost() -> None:
    zookeeper, _ = three()
    before = zookeeper.config("zoo-1", 2181)
    zookeeper.faults.reset()
    zookeeper.faults.fail_at(1, Unavailable("connection lost"), after=True)
    with pytest.raises(Unavailable, match="connection lost"):
        zookeeper.reconfigure(
            "zoo-1",
            2181,
            joining="",
            leaving="3",
            from_config=before.version,
            login=Login(["secret"]),
        )
    after = zookeeper.config("zoo-1", 2181)
    assert [member.id for member in after.members] == [1, 2]
    assert after.version > before.version
    assert zookeeper.changes == ["+ -3"]


def test_a_role_changes_by_joining_again() -> None:
    zookeeper, ensemble = three()
    version = zookeeper.config("zoo-1", 2181).version
    changed = zookeeper.reconfigure(
        "zoo-1",
        2181,
        joining="server.1=zoo-1:2888:3888:observer;2181",
        leaving="",
        from_config=version,
        login=Login(["secret"]),
    )
    assert [member.role for member in changed.members] == ["observer", "participant", "participant"]
    assert modes(zookeeper, 1) == ["observer"]
    assert ensemble.voters == {2, 3}


def test_the_last_voter_cannot_leave() -> None:
    zookeeper = MemoryZooKeeper()
    zookeeper.ensemble(lines(1))
    version = zookeeper.config("zoo-1", 2181).version
    with pytest.raises(Refused, match="no voter"):
        zookeeper.reconfigure(
            "zoo-1", 2181, joining="", leaving="1", from_config=version, login=Login(["secret"])
        )


@pytest.mark.parametrize(
    ("line", "member", "host"),
    [
        (
            "server.1=zoo-0.zoo:2888:3888:participant;0.0.0.0:2181",
            Member(1, "zoo-0.zoo:2888:3888;0.0.0.0:2181", "participant"),
            "zoo-0.zoo",
        ),
        ("server.2=a:1:2;2181", Member(2, "a:1:2;0.0.0.0:2181", "participant"), "a"),
        ("server.3=a:1:2:observer", Member(3, "a:1:2", "observer"), "a"),
        ("server.4=[::1]:1:2:observer;[::]:3", Member(4, "[::1]:1:2;[::]:3", "observer"), "::1"),
    ],
    ids=["whole", "bare-client-port", "no-client", "ipv6"],
)
def test_a_line_of_the_member_list_is_read_and_made_again(
    line: str, member: Member, host: str
) -> None:
    assert parse_member(line) == member
    assert host_of(member) == host
    assert parse_member(line_of(member)) == member


@pytest.mark.parametrize("line", ["", "server.x=a:1:2", "server.1", "group.1=1:2", "server.1="])
def test_what_is_no_line_of_a_member_list_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="no line of a member list"):
        parse_member(line)


def test_a_version_is_hexadecimal() -> None:
    text = "server.10=b:1:2;3\nserver.9=a:1:2;3\nversion=10000001f\n"
    found = parse_config(text)
    assert found.version == 0x10000001F
    assert [member.id for member in found.members] == [9, 10]


@pytest.mark.parametrize("text", ["", "version=1", "server.1=a:1:2;3"])
def test_half_a_member_list_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no complete member list"):
        parse_config(text)
