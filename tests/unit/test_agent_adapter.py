"""What the functions make of an agent's answer, and of things at its port that are no agent."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import pytest

from functions.adapters.agent import ask_disk, parse_disk, stats_of
from functions.adapters.words import MAX_BYTES
from functions.adapters.zookeeper import ZooKeeperServers
from functions.api.errors import Unavailable
from functions.planning.ensemble import DiskReport, EnsembleConfig, Member, ServerStats
from tests.unit.serving import Reply, Serve

TOLD = {
    "isEmpty": False,
    "zxid": "0x200000003",
    "epoch": 3,
    "members": [1, 2, 3, 4],
    "voters": [1, 2, 3],
    "lines": ["server.1=zk-0:2888:3888:participant;0.0.0.0:2181"],
}
IDS = frozenset({1, 2, 3})
LINES = (Member(1, "zk-0:2888:3888;0.0.0.0:2181", "participant"),)


STATUS = {
    "Connections": 2, "NodeCount": 6, "Epoch": 1, "Counter": 7, "Mode": 2, "Role": "follower",
    "Version": "3.9.5-46a4b3", "Error": None,
}  # fmt: skip
STATS = ServerStats("follower", 0x100000007, "3.9.5", 2, 6)
NOBODY = {**STATUS, "Role": "none", "Error": "The server is not currently serving requests."}
RECORD = "server.1=zk-0:2888:3888:participant;127.0.0.1:2189\nversion=100000007"
CONFIG = EnsembleConfig(0x100000007, (Member(1, "zk-0:2888:3888;127.0.0.1:2189", "participant"),))


def answer(told: Any, status: str = "200 OK") -> bytes:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    head = f"HTTP/1.0 {status}\r\nContent-Type: application/json\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("told", "report"),
    [
        pytest.param(TOLD, DiskReport(False, 0x200000003, 3, IDS | {4}, IDS, LINES), id="data"),
        pytest.param(
            {**TOLD, "epoch": 1},
            DiskReport(False, 0x200000003, 2, IDS | {4}, IDS, LINES),
            id="an-epoch-older-than-the-data",
        ),
        pytest.param(
            {"isEmpty": True, "zxid": None, "epoch": 0, "members": [], "voters": [], "lines": []},
            DiskReport(True, None, 0, frozenset(), frozenset()),
            id="empty",
        ),
        pytest.param(
            {**TOLD, "zxid": None, "epoch": 0, "more": 1},
            DiskReport(False, None, 0, IDS | {4}, IDS, LINES),
            id="unreadable",
        ),
        pytest.param(
            {**TOLD, "restored": "uid-1"},
            DiskReport(False, 0x200000003, 3, IDS | {4}, IDS, LINES, "uid-1"),
            id="restored",
        ),
        pytest.param(
            {**TOLD, "restored": None},
            DiskReport(False, 0x200000003, 3, IDS | {4}, IDS, LINES),
            id="never-restored",
        ),
    ],
)
def test_an_answer_is_read(told: Any, report: DiskReport) -> None:
    assert parse_disk(answer(told), "it") == report


@pytest.mark.parametrize(
    ("told", "status", "stats"),
    [
        pytest.param(STATUS, "200 OK", STATS, id="serves"),
        pytest.param(NOBODY, "503 No", ServerStats("", 0, "", 0), id="serves-nobody"),
    ],
)
def test_what_the_server_says_of_itself_is_told(
    serve: Serve, told: Any, status: str, stats: ServerStats
) -> None:
    port = serve(lambda connection: connection.sendall(answer(told, status)))
    assert ZooKeeperServers(agent_port=port).stats("127.0.0.1", port) == stats


def test_the_member_list_is_told(serve: Serve) -> None:
    port = serve(lambda connection: connection.sendall(answer({"record": RECORD})))
    assert ZooKeeperServers(agent_port=port).config("127.0.0.1", port) == CONFIG


@pytest.mark.parametrize(
    "told",
    [
        {**STATUS, "Counter": -1},
        {**STATUS, "Epoch": 1 << 32},
        {**STATUS, "NodeCount": "many"},
        {**STATUS, "Connections": None},
        {"Role": "leader"},
    ],
)
def test_what_no_server_says_of_itself_is_not_taken(told: Any) -> None:
    with pytest.raises(Unavailable, match="does not say how its server is"):
        stats_of(told, "it")


@pytest.mark.parametrize("told", [{}, {"record": 7}, {"record": "version=1"}])
def test_what_is_no_member_list_is_not_taken(serve: Serve, told: Any) -> None:
    port = serve(lambda connection: connection.sendall(answer(told)))
    with pytest.raises(Unavailable, match="could not be understood"):
        ZooKeeperServers(agent_port=port).config("127.0.0.1", port)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another-protocol"),
        pytest.param(answer({"error": "x"}, "503 Service Unavailable"), id="it-cannot-look"),
        pytest.param(answer(TOLD, "404 Not Found"), id="no-such-path"),
        pytest.param(answer(b"<html>"), id="no-json"),
        pytest.param(answer(b"\xff\xfe"), id="no-text"),
        pytest.param(answer(b"[" * 50_000), id="deep"),
        pytest.param(answer([TOLD]), id="a-list"),
        pytest.param(answer({}), id="no-fields"),
        pytest.param(answer({**TOLD, "isEmpty": "false"}), id="a-text-for-a-truth"),
        pytest.param(answer({**TOLD, "zxid": 7}), id="a-number-for-a-zxid"),
        pytest.param(answer({**TOLD, "zxid": "newest"}), id="no-zxid"),
        pytest.param(answer({**TOLD, "epoch": None}), id="no-epoch"),
        pytest.param(answer({**TOLD, "members": "123"}), id="a-text-for-ids"),
        pytest.param(answer({**TOLD, "voters": ["1"]}), id="texts-as-ids"),
        pytest.param(answer({**TOLD, "lines": ["1=zk-0"]}), id="no-line"),
        pytest.param(answer({k: v for k, v in TOLD.items() if k != "voters"}), id="no-voters"),
    ],
)
def test_what_is_no_answer_of_an_agent_is_unavailable(given: bytes) -> None:
    """Taking one for an empty disk would tell a person to give up a good one."""
    with pytest.raises(Unavailable, match="GET /disk"):
        parse_disk(given, "it")


def _in_pieces(connection: socket.socket) -> None:
    whole = answer(TOLD)
    for start in range(0, len(whole), 40):
        connection.sendall(whole[start : start + 40])


def test_an_agent_is_asked(serve: Any) -> None:
    assert ask_disk("127.0.0.1", serve(_in_pieces)).zxid == 0x200000003


def _for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.0 200 OK\r\nX: ")
        time.sleep(0.02)


def _flood(connection: socket.socket) -> None:
    connection.sendall(answer(b" " * (MAX_BYTES * 3)))


@pytest.mark.parametrize("reply", [_for_ever, _flood], ids=["a-header-without-an-end", "a-flood"])
def test_nothing_at_that_port_costs_more_than_the_time_for_it(serve: Any, reply: Reply) -> None:
    port, start = serve(reply), time.monotonic()
    with pytest.raises(Unavailable):
        ask_disk("127.0.0.1", port, timeout=0.5)
    assert time.monotonic() - start < 3


def test_a_port_where_nobody_listens_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unavailable, match="cannot be asked"):
        ask_disk("127.0.0.1", port)
