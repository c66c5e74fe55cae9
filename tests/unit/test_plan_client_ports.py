"""What the member list says of where servers take clients, and who is asked to change it."""

from __future__ import annotations

from typing import Any

import pytest

from functions.planning.client_ports import are_alike, askable, change, corrected_lines
from functions.planning.ensemble import Door, EnsembleConfig, Member, SeenServers, ServerStats
from functions.planning.steps import Reconfigure
from tests.unit.planned import cluster

INSIDE, OUTSIDE = "127.0.0.1:2189", "0.0.0.0:2181"
SHUT = Door(0, "")


def door(number: int) -> Door:
    return Door(2281, f"zk-{number - 1}.zk")


def seen(listed: dict[int, str], closed: dict[int, Door], silent: tuple[int, ...] = ()) -> Any:
    """Return servers of which the list says this, and of which those are closed."""
    members = tuple(
        Member(n, f"zk-{n - 1}.zk:2888:3888;{at}", "participant") for n, at in listed.items()
    )
    stats = {n: ServerStats("" if n in silent else "follower", 1, "3.9.5", 0) for n in listed}
    addresses = {number: f"10.0.0.{number}" for number in listed}
    return SeenServers(stats, addresses, EnsembleConfig(7, members), closed)


def line(number: int, at: str) -> str:
    return f"server.{number}=zk-{number - 1}.zk:2888:3888:participant;{at}"


@pytest.mark.parametrize(
    ("listed", "closed", "lines"),
    [
        pytest.param({1: OUTSIDE, 2: INSIDE}, {2: SHUT}, {}, id="as-the-pods-say"),
        pytest.param({1: OUTSIDE, 2: OUTSIDE}, {2: SHUT}, {2: line(2, INSIDE)}, id="to-close"),
        pytest.param({1: INSIDE, 2: INSIDE}, {2: SHUT}, {1: line(1, OUTSIDE)}, id="to-open"),
        pytest.param({1: "0.0.0.0:2189"}, {}, {}, id="a-restores-port-is-the-restores"),
    ],
)
def test_only_lines_that_say_otherwise_than_the_pod_are_corrected(
    listed: dict[int, str], closed: dict[int, Door], lines: dict[int, str]
) -> None:
    assert corrected_lines(cluster(), seen(listed, closed)) == lines


def test_of_a_list_that_nobody_told_and_a_member_without_a_pod_nothing_is_said() -> None:
    assert corrected_lines(cluster(), SeenServers({}, {}, None)) == {}
    config = EnsembleConfig(7, (Member(1, f"zk-0.zk:2888:3888;{INSIDE}", "participant"),))
    assert corrected_lines(cluster(), SeenServers({}, {}, config)) == {}


BOTH = {1: OUTSIDE, 2: OUTSIDE}


@pytest.mark.parametrize(
    ("closed", "alike"),
    [({}, True), ({1: SHUT}, False), ({1: SHUT, 2: SHUT}, True)],
    ids=["all-open", "between-the-two", "all-closed"],
)
def test_a_roll_from_one_kind_to_the_other_is_seen(closed: dict[int, Door], alike: bool) -> None:
    assert are_alike(seen(BOTH, closed)) is alike


THREE = dict.fromkeys((1, 2, 3), OUTSIDE)


@pytest.mark.parametrize(
    ("closed", "silent", "spare", "asked"),
    [
        pytest.param({}, (), 0, [1, 2, 3], id="all-are-open"),
        pytest.param({}, (2,), 1, [3], id="neither-the-silent-nor-who-leaves"),
        pytest.param({1: door(1)}, (), 0, [2, 3, 1], id="open-ones-first"),
        pytest.param({1: SHUT, 2: door(2), 3: SHUT}, (), 0, [2], id="only-where-it-gets-in"),
        pytest.param(dict.fromkeys(THREE, SHUT), (), 0, [], id="nobody"),
    ],
)
def test_whoever_takes_a_session_is_asked(
    closed: dict[int, Door], silent: tuple[int, ...], spare: int, asked: list[int]
) -> None:
    assert askable(seen(THREE, closed, silent), spare) == asked


def test_a_closed_server_is_asked_by_tls_and_by_its_name() -> None:
    servers = seen(THREE, {1: door(1), 2: door(2)})
    by_tls = change(servers, [1, 2], joining="x", leaving="", version=7, port=2189)
    plain = change(servers, [3, 1], joining="", leaving="2", version=7, port=2189)
    hosts = ("10.0.0.1", "10.0.0.2"), ("10.0.0.3", "10.0.0.1")
    assert by_tls == Reconfigure("10.0.0.1", hosts[0], "x", "", 7, 2281, "zk-0.zk")
    assert plain == Reconfigure("10.0.0.3", hosts[1], "", "2", 7, 2189)
