"""Four-letter words: what servers answer, and what things that are no servers do."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace

import pytest

from functions.adapters.words import MAX_BYTES, ask, parse_conf, parse_srvr, parse_stats
from functions.adapters.zookeeper import ZooKeeperServers
from functions.api.errors import Unavailable
from functions.planning.ensemble import EnsembleConfig, Member, ServerStats
from tests.unit.serving import Serve

SRVR = """Zookeeper version: 3.9.5-46a4b3, built on 2026-01-01 00:00 UTC
Latency min/avg/max: 0/0.0/0
Received: 1
Sent: 0
Connections: 2
Outstanding: 0
Zxid: 0x10000000a
Mode: follower
Node count: 6
"""
SILENT = "This ZooKeeper instance is not currently serving requests\n"
CONF = """clientPort=2181
initLimit=10
membership:
server.1=zoo-0.zoo:2888:3888:participant;0.0.0.0:2181
server.2=[::1]:2888:3888:observer;0.0.0.0:2181
version=10000000a"""


def test_srvr_is_read() -> None:
    assert parse_stats(SRVR, "it") == ServerStats("follower", 0x10000000A, "3.9.5", 2, 6)


def test_decisions_do_not_rest_on_what_is_only_shown() -> None:
    shown = ("Latency min/avg/max: 0/0.0/0", "Received: 1", "Sent: 0", "Outstanding: 0")
    bare = SRVR
    for line in shown:
        bare = bare.replace(f"{line}\n", "")
    assert parse_stats(bare, "it") == parse_stats(SRVR, "it")
    assert parse_srvr(bare, "it") == replace(parse_srvr(SRVR, "it"), latency=None, counts={})


@pytest.mark.parametrize(
    ("told", "latency"),
    [
        pytest.param("0/3/12", (0, 3, 12), id="whole"),
        pytest.param("0/0.4286/12", (0, 0.4286, 12), id="decimals"),
        pytest.param("0/5.0E-4/1", (0, 0.0005, 1), id="as-java-prints-a-small-one"),
        pytest.param("0/NaN/12", None, id="no-number"),
        pytest.param("0/many/12", None, id="a-word"),
        pytest.param("0/12", None, id="too-few"),
    ],
)
def test_latencies_are_read(told: str, latency: tuple[float, float, float] | None) -> None:
    assert parse_srvr(SRVR.replace("0/0.0/0", told), "it").latency == latency


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("3.8.0-${mvngit.commit.id}", "3.8.0"),
        ("3.10.0-SNAPSHOT", "3.10.0"),
        ("3.6.4--d65253dcf68e9097c6e95a126463fd5fdeb4521c", "3.6.4"),
        ("unknown", ""),
    ],
)
def test_versions_are_read_leniently(told: str, version: str) -> None:
    assert parse_stats(SRVR.replace("3.9.5-46a4b3", told), "it").version == version


def test_a_server_that_serves_nobody_has_no_mode() -> None:
    assert parse_stats(SILENT, "it") == ServerStats("", 0, "", 0)
    with pytest.raises(Unavailable, match="not currently serving"):
        parse_conf(SILENT, "it")


def test_every_cut_of_an_answer_is_unavailable() -> None:
    whole = SRVR.index("Node count: 6") + len("Node count: 6")
    for length in range(1, whole):
        with pytest.raises(Unavailable, match="could not be understood"):
            parse_stats(SRVR[:length], "it")


def test_conf_shows_the_member_list() -> None:
    assert parse_conf(CONF, "it") == EnsembleConfig(
        0x10000000A,
        (
            Member(1, "zoo-0.zoo:2888:3888;0.0.0.0:2181", "participant"),
            Member(2, "[::1]:2888:3888;0.0.0.0:2181", "observer"),
        ),
    )


def test_a_standalone_server_has_no_member_list() -> None:
    with pytest.raises(Unavailable, match="could not be understood"):
        parse_conf("clientPort=2181\nserverId=0\n", "it")


def test_an_answer_in_pieces_is_put_together(serve: Serve) -> None:
    def drip(connection: socket.socket) -> None:
        for start in range(0, len(SRVR), 40):
            connection.sendall(SRVR[start : start + 40].encode())

    port = serve(drip)
    assert ZooKeeperServers().stats("127.0.0.1", port).mode == "follower"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"", "nothing"),
        (b"\xff\xfe\x00", "no text"),
        (b"x" * (MAX_BYTES + 1), "more than"),
        (b"srvr is not executed because it is not in the whitelist.\n", "4lw.commands.whitelist"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "could not be understood"),
    ],
    ids=["nothing", "binary", "huge", "not-allowed", "another-protocol"],
)
def test_a_strange_answer_is_unavailable_with_a_sentence(
    serve: Serve, answer: bytes, sentence: str
) -> None:
    port = serve(lambda connection: connection.sendall(answer))
    with pytest.raises(Unavailable, match=sentence):
        ZooKeeperServers().stats("127.0.0.1", port)


def test_a_server_that_never_ends_its_answer_is_given_up_in_time(serve: Serve) -> None:
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        while not stop.wait(0.02):
            connection.sendall(b".")

    port = serve(drip)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="did not answer `srvr` within"):
        ask("srvr", "127.0.0.1", port, timeout=0.3)
    stop.set()
    assert time.monotonic() - began < 2


def test_nobody_there_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="cannot be asked"):
            ask("srvr", "127.0.0.1", free.getsockname()[1], timeout=1)


def test_a_name_that_does_not_resolve_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="cannot be asked"):
        ask("srvr", "no-such-host.invalid", 2181, timeout=1)
