"""The arithmetic of the benchmarks, and what they count as a process's own."""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from benchmarks import words
from benchmarks.clients import Client, latencies, longest_gap
from benchmarks.figures import Figure, table
from benchmarks.narrow import passing
from benchmarks.processes import memory_of_tree, processor_seconds_of_tree, tree

SECONDS = 30
# A parent and a child that both hold 50 MiB of their own.
HOLD = "bytearray(b'x' * (50 << 20))"
PAIR = f"""
import subprocess, sys, time
held = {HOLD}
child = subprocess.Popen([sys.executable, "-c", "held = {HOLD}; print(flush=True); input()"],
                         stdin=subprocess.PIPE)
input()
"""


@pytest.fixture
def pair() -> Iterator[int]:
    """A process whose child has said that it is ready."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PAIR],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        yield parent.pid
        os.killpg(parent.pid, signal.SIGKILL)


def figure(name: str, *samples: float, baseline: tuple[float, ...] = (1.0, 2.0, 4.0)) -> Figure:
    return Figure("Speed", name, "s", samples, baseline)


def test_a_ratio_is_taken_within_its_round() -> None:
    assert figure("ours", 2.0, 4.0, 8.0).ratios == [2.0, 2.0, 2.0]


def test_rounds_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 1"):
        assert figure("ours", 2.0, 4.0).ratios


def test_the_table_shows_median_and_range_below_one_heading() -> None:
    lines = table([figure("empty", 1.0, 2.0, 4.0), figure("ours", 3.0, 2.0, 40.0)]).splitlines()
    assert lines[0] == "Speed, s"
    assert lines[2].split() == ["empty", "2.00", "(1.00-4.00)", "1.00", "(1.00-1.00)"]
    assert lines[3].split() == ["ours", "3.00", "(2.00-40.00)", "3.00", "(1.00-10.00)"]
    assert len(lines) == 4


def test_nothing_is_said_of_a_ratio_to_nothing() -> None:
    errors = figure("ours", 3.0, 2.0, 1.0, baseline=(0.0, 1.0, 1.0))
    assert table([errors]).splitlines()[2].split() == ["ours", "2.00", "(1.00-3.00)", "-"]
    assert errors.as_json()["ratios"] == [None, 2.0, 1.0]


def test_json_keeps_every_sample() -> None:
    found = figure("ours", 2.0, 4.0, 8.0).as_json()
    assert found["samples"] == [2.0, 4.0, 8.0]
    assert found["ratios"] == [2.0, 2.0, 2.0]


def test_the_memory_of_a_process_includes_its_children(pair: int) -> None:
    assert len(tree(pair)) == 2
    memory = memory_of_tree(pair)
    assert 100 < memory.pss <= memory.rss < 200


def test_processor_time_is_counted_for_the_whole_tree(pair: int) -> None:
    own = processor_seconds_of_tree(os.getpid())
    assert processor_seconds_of_tree(pair) > 0
    began, deadline = time.process_time(), time.monotonic() + SECONDS
    while time.process_time() - began < 0.2 and time.monotonic() < deadline:
        sum(range(1000))
    assert processor_seconds_of_tree(os.getpid()) >= own + 0.15


def test_a_process_that_is_gone_takes_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait(SECONDS)
    assert memory_of_tree(gone.pid).rss == 0
    assert processor_seconds_of_tree(gone.pid) == 0


@pytest.fixture
def server() -> Iterator[int]:
    """A server that answers two words as ZooKeeper does; its port."""
    said = {
        b"srvr": b"Zookeeper version: 3.9.5\nMode: follower\nNode count: 5\n",
        b"conf": b"clientPort=2181\nserver.1=zk-0:2888:3888:participant;0.0.0.0:2181\n"
        b"server.12=zk-11:2888:3888:observer;0.0.0.0:2181\nversion=10000000f\n",
    }

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(said[self.request.recv(4)])

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as serving:
        threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True).start()
        yield serving.server_address[1]
        serving.shutdown()


def test_a_servers_mode_and_member_list_are_read(server: int) -> None:
    assert words.mode("127.0.0.1", server) == "follower"
    assert words.member_list("127.0.0.1", server) == (0x10000000F, frozenset({1, 12}))


def test_a_server_that_is_not_there_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert words.mode("127.0.0.1", port) == ""
    assert words.member_list("127.0.0.1", port) == (-1, frozenset())


def test_a_narrow_network_passes_everything_at_its_speed() -> None:
    data = os.urandom(256 << 10)
    seconds = 0.1
    with socket.create_server(("127.0.0.1", 0)) as far:
        narrow = passing(far.getsockname()[1], len(data) / seconds)
        began = time.monotonic()
        with narrow, socket.create_connection(narrow.getsockname()) as near:
            sending = threading.Thread(target=_send_all, args=(near, data))
            sending.start()
            came, _ = far.accept()
            with came:
                found = b"".join(iter(lambda: came.recv(1 << 16), b""))
            sending.join(SECONDS)
            narrow.shutdown(socket.SHUT_RDWR)
    assert found == data
    assert time.monotonic() - began > 0.7 * seconds


def _send_all(near: socket.socket, data: bytes) -> None:
    near.sendall(data)
    near.shutdown(socket.SHUT_WR)


def test_the_longest_gap_is_between_two_acknowledged_writes() -> None:
    client = Client("127.0.0.1:1")
    assert longest_gap(client) == 0
    client.moments += [(0.0, 1.0), (1.0, 1.5), (2.0, 4.0), (4.0, 4.1)]
    assert longest_gap(client) == 2.5
    assert latencies([client], 1.0, 4.0) == [500.0, 2000.0]
