"""The agent's other half: noticing a server's role, and telling a broker that may not be there."""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from functions.api.errors import Unavailable
from functions.api.kinds import POD, Ref
from functions.pods.agent import watch
from functions.pods.role import CALM_SECONDS, LINE_ADDRESS, QUICK_SECONDS, ask_role, roles
from functions.pods.telling import Teller, post_event
from functions.runtime.events import Event, role_event, subject_of
from functions.runtime.traces import trace_of

ROOT = Path(__file__).parents[2]
SERVING = "Zookeeper version: 3.9.5\nConnections: 1\nZxid: 0x1\nMode: {}\nNode count: 5\n"
NOT_SERVING = "This ZooKeeper instance is not currently serving requests\n"
REF = Ref(POD, "apps", "zk-1")


@dataclass
class Server:
    """Answers `srvr` as ZooKeeper does, and holds connections on which nothing is said."""

    role: str = "none"
    asked: int = 0
    lines: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):  # It was closed.
            while True:
                connection, (address, _) = self.listening.accept()
                if address == LINE_ADDRESS:
                    self.lines.append(connection)
                else:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(4)
            self.asked += 1
            text = NOT_SERVING if self.role == "none" else SERVING.format(self.role)
            connection.sendall(text.encode())

    def become(self, role: str) -> None:
        """Change the role as a server does: first it is another one, then it hangs up on all."""
        self.role = role
        lines, self.lines = self.lines, []
        for line in lines:
            line.close()

    def close(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.become("none")


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    with suppress(OSError):
        made.close()


@pytest.mark.parametrize("role", ["leader", "follower", "observer", "standalone"])
def test_a_serving_server_has_its_role(server: Server, role: str) -> None:
    server.role = role
    assert ask_role("127.0.0.1", server.port) == role


@pytest.mark.parametrize("mode", ["none", "read-only", "x" * 99])
def test_a_server_that_serves_nobody_or_says_what_is_not_known_has_none(
    server: Server, mode: str
) -> None:
    server.role = mode
    assert ask_role("127.0.0.1", server.port) == "none"


def test_a_server_that_is_not_there_has_none(server: Server) -> None:
    server.close()
    assert ask_role("127.0.0.1", server.port) == "none"
    assert next(roles(server.port)) == "none"


def test_a_lost_role_is_seen_at_once_and_the_next_one_within_moments(server: Server) -> None:
    server.role = "follower"
    seen = roles(server.port)
    assert next(seen) == "follower"
    threading.Timer(0.3, server.become, ("none",)).start()
    begun = time.monotonic()
    assert next(seen) == "none"
    assert time.monotonic() - begun < CALM_SECONDS / 3
    server.become("leader")
    assert "leader" in itertools.islice(seen, 3)


def test_a_restored_server_is_known_behind_its_closed_port_and_when_it_opens(
    server: Server,
) -> None:
    """It moves while it serves: its role stays, and no change of it is told."""
    closed = Server("leader")
    server.close()
    seen = roles(server.port, closed_port=closed.port)
    assert next(seen) == "leader"
    server.listening = socket.create_server(("127.0.0.1", server.port))
    server.role = "leader"
    threading.Thread(target=server._run, daemon=True).start()
    closed.close()
    assert next(seen) == "leader"


def test_a_server_that_keeps_its_role_is_left_alone(server: Server) -> None:
    server.role = "leader"
    seen = roles(server.port)
    next(seen)
    looking = threading.Thread(target=next, args=(seen,), daemon=True)
    looking.start()
    looking.join(6 * QUICK_SECONDS)
    assert looking.is_alive()
    assert server.asked == 1
    server.close()
    looking.join(10)


def test_a_server_that_hangs_up_at_every_turn_is_not_asked_faster_for_it(server: Server) -> None:
    """It does so to a client that is one too many."""
    server.role = "leader"
    begun, seen = time.monotonic(), roles(server.port)
    for _ in range(5):
        next(seen)
        server.become("leader")
    assert time.monotonic() - begun >= 3 * QUICK_SECONDS


def test_only_changes_are_told_the_first_look_included() -> None:
    told: list[str] = []
    seen = ["none", "none", "follower", "follower", "none", "leader", "leader"]
    watch(seen, told.append)
    assert told == ["none", "follower", "none", "leader"]


def _failing(times: int, told: list[str]) -> Callable[[str], None]:
    left = iter(range(times))

    def send(role: str) -> None:
        told.append(role)
        if next(left, None) is not None:
            raise Unavailable("not now")

    return send


def test_a_role_is_told_until_it_is_taken_and_then_no_more() -> None:
    tried: list[str] = []
    teller = Teller(_failing(3, tried), pause=0.001)
    teller.tell("leader")
    teller.tell_next()
    assert tried == ["leader"] * 4
    threading.Timer(0.05, teller.tell, ("none",)).start()
    teller.tell_next()
    assert tried == [*["leader"] * 4, "none"]


def test_a_broker_that_stays_away_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    teller = Teller(_failing(5, []), pause=0.001)
    teller.tell("leader")
    teller.tell_next()
    assert [record.getMessage() for record in caplog.records] == [
        "the role is not told yet: not now"
    ]


def test_what_was_not_taken_in_time_is_never_told_when_there_is_something_newer() -> None:
    tried: list[str] = []

    def send(role: str) -> None:
        tried.append(role)
        if role == "follower":
            teller.tell("none")
            teller.tell("leader")
            raise Unavailable("not now")

    teller = Teller(send, pause=0.001)
    teller.tell("follower")
    teller.tell_next()
    assert tried == ["follower", "leader"]


def test_a_change_during_the_telling_is_told_as_well_even_back_to_the_same_role() -> None:
    tried: list[str] = []

    def send(role: str) -> None:
        tried.append(role)
        if len(tried) == 1:
            teller.tell("leader")

    teller = Teller(send, pause=0.001)
    teller.tell("leader")
    teller.tell_next()
    assert tried == ["leader", "leader"]


class Broker:
    """Takes events over HTTP, or answers as it is told to."""

    def __init__(self) -> None:
        self.status = 202
        self.got: list[Event] = []
        broker = self

        class Request(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                attributes = {
                    name.lower().removeprefix("ce-"): value
                    for name, value in self.headers.items()
                    if name.lower().startswith("ce-")
                }
                broker.got.append(Event({**attributes, "path": self.path}, json.loads(body)))
                self.send_response(broker.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/events/zookeeper"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    yield made
    made.close()


def test_the_event_names_the_pod_and_says_nothing_that_clients_change(broker: Broker) -> None:
    post_event(broker.url, *role_event(REF, "leader"))
    (got,) = broker.got
    assert got.attributes["path"] == "/events/zookeeper"
    sample = json.loads((ROOT / "tests/events/observe-role.json").read_text())
    fixed = {"type", "source", "apiversion", "kind", "specversion", "role"}
    assert {name: got.attributes[name] for name in fixed} == {name: sample[name] for name in fixed}
    named = set(sample) - {"data", "time", "datacontenttype"}
    assert set(got.attributes) - {"path"} == named
    assert subject_of(got) == REF
    assert got.data == {"apiVersion": "v1", "kind": "Pod", "namespace": "apps", "name": "zk-1"}


def test_the_agents_log_has_the_trace_that_the_functions_will_log(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "agent"):
        post_event(broker.url, *role_event(REF, "leader"))
    (got,) = broker.got
    assert caplog.messages == [f"the broker has it, trace {trace_of(got.attributes, {}).id}"]


def test_every_telling_is_an_event_of_its_own(broker: Broker) -> None:
    for _ in range(2):
        post_event(broker.url, *role_event(REF, "leader"))
    assert len({event.id for event in broker.got}) == 2


@pytest.mark.parametrize("status", [302, 404, 500, 503])
def test_an_event_that_the_broker_does_not_take_is_not_told(broker: Broker, status: int) -> None:
    broker.status = status
    with pytest.raises(Unavailable, match=f"answers {status}"):
        post_event(broker.url, *role_event(REF, "leader"))


def test_a_broker_that_is_not_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(Unavailable, match="cannot be reached"):
        post_event(f"http://127.0.0.1:{port}/", *role_event(REF, "leader"))


def test_the_whole_agent_tells_of_each_role_in_turn(
    server: Server, broker: Broker, tmp_path: Path
) -> None:
    """From a server's end and a broker's trouble to the event, in a process of its own."""
    names = ("DATA_DIR", "DATA_LOG_DIR", "CFG_DIR", "RAW_CFG_DIR")
    variables = {
        **dict.fromkeys(names, str(tmp_path)), "STATIC_CONFIG": "zoo.cfg", "AGENT_PORT": "0",
        "CLIENT_PORT": str(server.port), "QUARANTINE_PORT": "0", "BROKER_URL": broker.url,
        "NAMESPACE": "apps", "POD_NAME": "zk-1",
    }  # fmt: skip
    with ExitStack() as ending:
        agent = subprocess.Popen(
            [sys.executable, "-m", "functions.pods.agent"],
            cwd=ROOT,
            env={**os.environ, **variables},
        )
        ending.callback(agent.wait, 10)
        ending.callback(agent.send_signal, signal.SIGKILL)
        _until(lambda: _told(broker) == ["none"])
        server.become("follower")
        _until(lambda: _told(broker) == ["none", "follower"])
        broker.status = 503
        server.become("none")
        _until(lambda: _told(broker)[-2:] == ["none", "none"])
        server.become("leader")
        broker.status = 202
        _until(lambda: _told(broker)[-1] == "leader")
        assert agent.poll() is None


def _told(broker: Broker) -> list[str]:
    return [event.attributes["role"] for event in broker.got]


def _until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.01)
