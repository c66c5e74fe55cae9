"""Asking a Job's program how far it is, and an AdminServer who leads: the real adapters and their
twins alike, and things at their port that are neither."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from functions.adapters.http import get_json
from functions.adapters.job_programs import PROGRESS_PORT, HttpAdminServers, HttpJobPrograms
from functions.adapters.memory import MemoryAdminServers, MemoryJobPrograms
from functions.adapters.words import MAX_BYTES
from functions.api import ports
from functions.api.errors import Unavailable
from functions.planning.progress import Progress
from functions.pods.endpoints import Endpoints, showing
from functions.pods.progress import PORT
from functions.runtime.world import AdminServers, JobPrograms
from tests.unit.serving import Reply

SECONDS = 5.0
Serve = Callable[[Reply], int]


class Side(Protocol):
    """Programs and AdminServers that answer what a test says."""

    def programs(self, told: Progress | None) -> JobPrograms: ...

    def admin(self, leader: int | None) -> tuple[AdminServers, int]: ...


class Twin:
    def programs(self, told: Progress | None) -> JobPrograms:
        return MemoryJobPrograms(running={} if told is None else {"127.0.0.1": told})

    def admin(self, leader: int | None) -> tuple[AdminServers, int]:
        leaders = {} if leader is None else {("127.0.0.1", 8080): leader}
        return MemoryAdminServers(leaders=leaders), 8080


class Real:
    """The pods' own HTTP server, and an answer as ZooKeeper 3.9.5 gave it."""

    def __init__(self) -> None:
        self._servers: list[Endpoints] = []

    def programs(self, told: Progress | None) -> JobPrograms:
        seen = told or Progress(0, 0, "")
        answers = {"done": seen.done, "total": seen.total, "phase": seen.phase}
        return HttpJobPrograms(timeout=SECONDS, port=self._serve("/progress", answers, told))

    def admin(self, leader: int | None) -> tuple[AdminServers, int]:
        answer = {"is_leader": False, "leader_id": leader, "leader_ip": "127.0.0.1",
                  "command": "leader", "error": None}  # fmt: skip
        return HttpAdminServers(timeout=SECONDS), self._serve("/commands/leader", answer, leader)

    def _serve(self, path: str, answer: dict[str, Any], told: object) -> int:
        server = Endpoints(("127.0.0.1", 0), {path: showing(lambda: answer)})
        port = int(server.server_address[1])
        if told is None:
            server.server_close()
            return port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        return port

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


@pytest.fixture(params=["twin", "real"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    if request.param == "twin":
        yield Twin()
        return
    real = Real()
    yield real
    real.close()


@pytest.mark.parametrize("told", [Progress(0, 0, "starting"), Progress(7, 1 << 40, "copying")])
def test_a_program_says_how_far_it_is(side: Side, told: Progress) -> None:
    assert side.programs(told).progress("127.0.0.1") == told


def test_a_program_that_is_gone_is_unavailable(side: Side) -> None:
    with pytest.raises(Unavailable, match="cannot be asked `GET /progress`"):
        side.programs(None).progress("127.0.0.1")


def test_an_admin_server_names_the_leader(side: Side) -> None:
    servers, port = side.admin(3)
    assert servers.leader("127.0.0.1", port) == 3


def test_an_admin_server_that_names_nobody_or_is_not_there_is_unavailable(side: Side) -> None:
    servers, port = side.admin(0)
    with pytest.raises(Unavailable, match="names no leader"):
        servers.leader("127.0.0.1", port)
    servers, port = side.admin(None)
    with pytest.raises(Unavailable, match="cannot be asked `GET /commands/leader`"):
        servers.leader("127.0.0.1", port)


def ok(body: bytes) -> bytes:
    return b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body


def saying(answer: bytes) -> Reply:
    return lambda connection: connection.sendall(answer)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(b"", "by HTTP", id="nothing"),
        pytest.param(b"This is no HTTP.", "by HTTP", id="no-http"),
        pytest.param(b"HTTP/1.1 404 Not Found\r\n\r\n", "with status 404", id="no-such-page"),
        pytest.param(ok(b"{"), "is no JSON", id="cut-off"),
        pytest.param(ok(b"[" * 30_000), "is no JSON", id="too-deep"),
        pytest.param(ok(b"[]"), "no object", id="a-list"),
        pytest.param(ok(b" " * MAX_BYTES), "more than", id="too-long"),
    ],
)
def test_what_is_no_such_answer_is_unavailable_and_never_quoted(
    serve: Serve, answer: bytes, says: str
) -> None:
    with pytest.raises(Unavailable, match=says):
        get_json("/x", "127.0.0.1", serve(saying(answer)), timeout=SECONDS)


def test_an_answer_that_holds_a_secret_is_not_quoted(serve: Serve) -> None:
    """The address is one that a user wrote: it may be anything that a function can reach."""
    for answer in (b"secret", ok(b"secret"), ok(b'["secret"]')):
        with pytest.raises(Unavailable) as raised:
            get_json("/x", "127.0.0.1", serve(saying(answer)), timeout=SECONDS)
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "told",
    [
        {}, {"done": -1, "total": 1, "phase": "x"}, {"done": 1, "total": "1", "phase": "x"},
        {"done": True, "total": 1, "phase": "x"}, {"done": 1, "total": 1, "phase": None},
    ],
)  # fmt: skip
def test_progress_that_makes_no_sense_is_unavailable(serve: Serve, told: dict[str, Any]) -> None:
    programs = HttpJobPrograms(timeout=SECONDS, port=serve(saying(ok(json.dumps(told).encode()))))
    with pytest.raises(Unavailable, match="does not say how far it is"):
        programs.progress("127.0.0.1")


@pytest.mark.parametrize("told", [{}, {"leader_id": "1"}, {"leader_id": -1}, {"leader_id": None}])
def test_a_leader_that_makes_no_sense_is_unavailable(serve: Serve, told: dict[str, Any]) -> None:
    port = serve(saying(ok(json.dumps(told).encode())))
    with pytest.raises(Unavailable, match="names no leader"):
        HttpAdminServers(timeout=SECONDS).leader("127.0.0.1", port)


def test_the_pods_and_the_functions_mean_one_port() -> None:
    assert PROGRESS_PORT == ports.PROGRESS_PORT == PORT
