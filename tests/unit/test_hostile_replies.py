"""Whoever answers at a server's address: every reader takes the answer, or says what is wrong."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.adapters.agent import parse_disk, stats_of
from functions.adapters.http import parse_json
from functions.adapters.job_programs import progress_of
from functions.adapters.words import MAX_BYTES, parse_conf, parse_stats
from functions.api.errors import Unavailable
from functions.backups.admin_snapshot import AdminServer, Snapping, take_snapshot
from functions.backups.taken import NotTaken
from functions.persistence.compression import plain
from functions.persistence.damage import Damaged
from functions.pods.endpoints import Reply
from functions.pods.server_reports import (
    client_report,
    member_list_report,
    runok_report,
    status_report,
)
from tests.unit.serving import Serve
from tests.unit.test_pods_server_reports import CONF, CONS, SRVR

SOON = 1.0
QUICK = settings(max_examples=15, deadline=None)
LONG = settings(max_examples=3000, deadline=None)

DISK = json.dumps({
    "isEmpty": False, "zxid": "0x100000007", "epoch": 1, "members": [1, 2], "voters": [1],
    "restored": None, "lines": ["server.1=zk-0.zk:2888:3888:participant;0.0.0.0:2181"],
})  # fmt: skip
STATUS = json.dumps({
    "Epoch": 1, "Counter": 7, "Connections": 2, "NodeCount": 6,
    "Role": "leader", "Version": "3.9.5",
})  # fmt: skip
PROGRESS = '{"done": 1, "total": 2, "phase": "copying"}'
SHARP = (
    "", "\n", "\r\n", "\x00", "\xff", "9" * 5000, "-1", "f" * 5000, "0x", " " * 5000, "{",
    "[" * 5000, "]", '"', "null", "true", "1e999", "NaN", "server.1=", "server.999999999=x",
    "version=", "Mode: ", "Zxid: 0x", "é", "\u2028", "'", "=" * 100, ",", ")", "(queued=", "٣",
)  # fmt: skip


def _changed(text: str) -> st.SearchStrategy[str]:
    """Return answers that begin as a good one, and then are cut, doubled or have something in."""
    places = st.integers(0, len(text))
    edits = st.lists(st.tuples(places, places, st.sampled_from(SHARP)), min_size=1, max_size=3)

    def edited(changes: list[tuple[int, int, str]]) -> str:
        found = text
        for begin, end, piece in changes:
            found = found[:begin] + piece + found[end:]
        return found

    return st.one_of(edits.map(edited), st.text(max_size=50), st.sampled_from(SHARP))


ANSWERS = st.sampled_from((SRVR, CONS, CONF, DISK, STATUS, PROGRESS)).flatmap(_changed)

Reader = Callable[[str], object]
READERS: dict[str, Reader] = {
    "srvr": lambda text: parse_stats(text, "it"),
    "conf": lambda text: parse_conf(text, "it"),
    "disk": lambda text: parse_disk(_http(text), "it"),
    "status": lambda text: stats_of(parse_json("/status", _http(text), "it"), "it"),
    "progress": lambda text: progress_of(parse_json("/progress", _http(text), "it"), "it"),
    "/status": lambda text: _sent(status_report(lambda _: text)),
    "/client": lambda text: _sent(client_report(lambda _: text)),
    "/runok": lambda text: _sent(runok_report(lambda _: text)),
    "/get": lambda text: _sent(member_list_report(lambda _: text)),
}


def _http(body: str) -> bytes:
    return b"HTTP/1.0 200 OK\r\n\r\n" + body.encode(errors="replace")


def _sent(reply: Reply) -> str:
    return json.dumps(reply.content)


def _read(text: str) -> None:
    for name, reader in READERS.items():
        began = time.process_time()
        with suppress(Unavailable):
            # What is taken ends in a status, so all of it is small.
            assert len(repr(reader(text))) <= 2000 + 40 * len(text), name
        assert time.process_time() - began < SOON, name


@QUICK
@given(ANSWERS)
def test_every_answer_is_read_or_unavailable(text: str) -> None:
    _read(text)


@pytest.mark.soak
@LONG
@given(ANSWERS)
def test_each_of_many_answers_is_read_or_unavailable(text: str) -> None:
    _read(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(CONF + "\nserver.1=" + " " * MAX_BYTES + "x", id="blanks-in-a-line"),
        pytest.param("server.1=x\nversion" + "\n" * MAX_BYTES, id="breaks-for-a-version"),
        pytest.param("version" + " " * MAX_BYTES, id="blanks-for-a-version"),
        pytest.param("version=" + "f" * MAX_BYTES, id="a-version-without-an-end"),
        pytest.param("server." + "1" * MAX_BYTES + "=x", id="an-id-without-an-end"),
        pytest.param("Zxid: " * (MAX_BYTES // 6), id="one-word-again-and-again"),
        pytest.param("Mode: " + "x" * MAX_BYTES, id="a-mode-without-an-end"),
        pytest.param(" /a[1](" * (MAX_BYTES // 7), id="openings-of-connections"),
        pytest.param("[" * MAX_BYTES, id="lists-in-lists"),
        pytest.param('{"a":' * (MAX_BYTES // 5), id="objects-in-objects"),
    ],
)
def test_an_answer_that_is_made_to_be_slow_is_read_at_once(text: str) -> None:
    _read(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("Connections: 2", f"Connections: {1 << 31}", id="connections"),
        pytest.param("Zxid: 0x30000000a", "Zxid: -0x1", id="zxid-below-zero"),
        pytest.param("Zxid: 0x30000000a", f"Zxid: 0x{'f' * 17}", id="zxid-too-long"),
        pytest.param("Mode: follower", f"Mode: {'x' * 33}", id="mode-too-long"),
        pytest.param("Node count: 6", f"Node count: {1 << 63}", id="nodes"),
    ],
)
def test_no_number_is_larger_than_a_server_counts(text: str, told: str) -> None:
    with pytest.raises(Unavailable, match="could not be understood"):
        parse_stats(SRVR.replace(text, told), "it")


def test_a_version_without_an_end_is_none() -> None:
    assert parse_stats(SRVR.replace("3.9.5", "3." + "9" * 5000), "it").version == "3"


@pytest.mark.parametrize(
    "change",
    [
        {"zxid": "0x" + "f" * 17}, {"zxid": "-0x1"}, {"zxid": 7}, {"epoch": 1 << 32},
        {"epoch": -1}, {"epoch": 1e999}, {"epoch": None}, {"members": [True]}, {"members": [-1]},
        {"members": [1 << 31]}, {"voters": {"1": 2}}, {"lines": [1]}, {"lines": [None]},
        {"lines": "server.1=x"}, {"restored": "x" * 65}, {"restored": 1}, {"isEmpty": 0},
    ],
    ids=str,
)  # fmt: skip
def test_an_agent_that_makes_no_sense_is_unavailable(change: dict[str, object]) -> None:
    with pytest.raises(Unavailable, match="could not be understood"):
        parse_disk(_http(json.dumps({**json.loads(DISK), **change})), "it")


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"\x00\xff" * 500, b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 999 \r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\nlast_zxid: 0x\xff\r\nsnapshot_size: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nlast_zxid: 9" + b"9" * 6000 + b"\r\nsnapshot_size: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nlast_zxid: -1\r\nsnapshot_size: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n" + b"[" * 5000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{\"er",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5,
        b"imok",
    ],
    ids=range(15),
)  # fmt: skip
def test_an_admin_server_that_answers_anything_gives_no_snapshot(
    serve: Serve, answer: bytes
) -> None:
    def reply(connection: socket.socket) -> None:
        connection.sendall(answer)

    admin = AdminServer("127.0.0.1", serve(reply), "digest super:secret")
    snapping = Snapping(admin, None, outbox=None, rate_seconds=0, pause_seconds=0)  # type: ignore[arg-type]
    with pytest.raises(NotTaken):
        take_snapshot(snapping)


def test_a_packed_chunk_that_announces_more_than_a_server_writes_is_damaged(
    tmp_path: Path,
) -> None:
    """Three bytes repeat 64, so some megabytes would unpack to what no Job's memory holds."""
    header = b"\x82SNAPPY\x00" + bytes(8)
    announced = b"\xff\xff\xff\xff\x07"  # 2 GiB
    chunk = announced + b"\x00a" + b"\xfe\x01\x00" * 100_000
    file = tmp_path / "snapshot.1.snappy"
    file.write_bytes(header + len(chunk).to_bytes(4, "big") + chunk)
    with file.open("rb") as opened, pytest.raises(Damaged, match="cannot be read"):
        plain(opened, "snappy").read(1)
