"""The agent's HTTP on a real socket: what it answers, and what a client cannot make it do."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from functions.pods.agent import FAREWELL_SECONDS
from functions.pods.connections import MOST_OF_ONE
from functions.pods.disk import Folders
from functions.pods.disk_report import disk_report
from functions.pods.endpoints import Endpoints, showing
from tests.unit.zookeeper_files import WHOLE_SNAPSHOT, log_of

ROOT = Path(__file__).parents[2]
MEMBERS = "".join(
    f"server.{number}=zk-{number}:2888:3888:{role};0.0.0.0:2181\n"
    for number, role in ((3, "observer"), (1, "participant"), (2, "participant"))
)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(
        data=tmp_path / "data", log=tmp_path / "data", config=tmp_path / "data/conf",
        raw_config=tmp_path / "raw", static_config="zoo.cfg",
    )  # fmt: skip


def _fill(folders: Folders) -> None:
    (folders.data / "version-2").mkdir(parents=True)
    (folders.data / "version-2/snapshot.100000005").write_bytes(WHOLE_SNAPSHOT)
    (folders.data / "version-2/log.100000006").write_bytes(log_of(0x100000006, 0x1000000FF))
    _list_members(folders)


def _list_members(folders: Folders) -> None:
    folders.config.mkdir(parents=True)
    folders.static_file.write_text(f"dynamicConfigFile={folders.data}/members\n")
    (folders.data / "members").write_text(MEMBERS)


def test_a_volume_with_data_is_reported_with_how_far_it_goes(folders: Folders) -> None:
    _fill(folders)
    (folders.data / "version-2/currentEpoch").write_text("3\n")
    assert disk_report(folders) == {
        "isEmpty": False,
        "zxid": "0x1000000ff",
        "epoch": 3,
        "members": [1, 2, 3],
        "voters": [1, 2],
        "lines": sorted(MEMBERS.splitlines()),
        "restored": None,
    }


def test_the_restore_that_the_data_comes_from_is_reported(folders: Folders) -> None:
    _fill(folders)
    (folders.data / "restored").write_text("uid-1\n")
    assert disk_report(folders)["restored"] == "uid-1"


def test_a_volume_that_was_lost_and_prepared_anew_is_empty(folders: Folders) -> None:
    _list_members(folders)
    report = disk_report(folders)
    assert (report["isEmpty"], report["zxid"], report["members"]) == (True, None, [1, 2, 3])


def test_a_volume_that_nothing_has_touched_is_empty(folders: Folders) -> None:
    report = disk_report(folders)
    assert report == {
        "isEmpty": True,
        "zxid": None,
        "epoch": 0,
        "members": [],
        "voters": [],
        "lines": [],
        "restored": None,
    }


def test_a_server_that_never_followed_a_leader_has_no_epoch(folders: Folders) -> None:
    (folders.data / "version-2").mkdir(parents=True)
    (folders.data / "version-2/currentEpoch").write_text("-1")
    assert disk_report(folders)["epoch"] == 0


def test_data_of_which_nothing_can_be_read_is_not_called_empty(folders: Folders) -> None:
    (folders.data / "version-2").mkdir(parents=True)
    (folders.data / "version-2/log.1").write_bytes(b"ZK")
    report = disk_report(folders)
    assert (report["isEmpty"], report["zxid"]) == (False, None)


@contextmanager
def _serving(**reads: Callable[[], dict[str, Any]]) -> Iterator[int]:
    paths = {f"/{name}": showing(read) for name, read in reads.items()}
    server = Endpoints(("127.0.0.1", 0), paths)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _ask(port: int, method: str, path: str) -> tuple[int, Any, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body else None, answer.headers
    finally:
        connection.close()


def _unreadable() -> dict[str, Any]:
    raise PermissionError(13, "Permission denied", "/data/version-2")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/disk", 200, id="disk"),
        pytest.param("GET", "/disk?why=not", 200, id="a-query-is-ignored"),
        pytest.param("GET", "/broken", 503, id="volume-cannot-be-read"),
        pytest.param("GET", "/", 404, id="root"),
        pytest.param("GET", "/disk/", 404, id="another-path"),
        pytest.param("GET", "/../etc/passwd", 404, id="no-files"),
        pytest.param("POST", "/disk", 405, id="post"),
        pytest.param("PUT", "/nothing", 404, id="put"),
        pytest.param("DELETE", "/disk", 405, id="delete"),
        pytest.param("HEAD", "/disk", 405, id="head"),
        pytest.param("OPTIONS", "*", 404, id="options"),
    ],
)
def test_what_is_answered(method: str, path: str, status: int) -> None:
    with _serving(disk=lambda: {"isEmpty": True}, broken=_unreadable) as port:
        answered, body, headers = _ask(port, method, path)
    assert answered == status
    assert headers["Content-Type"] == "application/json"
    assert headers["Allow"] == ("GET" if status == 405 else None)
    assert (body == {"isEmpty": True}) == (status == 200)
    assert ("Permission denied" in str(body)) == (status == 503)


def test_a_crowd_is_turned_away_and_the_next_is_served_again() -> None:
    """Some of one address are served at once; who comes on top finds the connection closed."""
    entered, go_on = threading.Semaphore(0), threading.Event()

    def slow() -> dict[str, Any]:
        entered.release()
        go_on.wait(10)
        return {}

    with _serving(slow=slow) as port:
        waiting = [_begun(port) for _ in range(MOST_OF_ONE)]
        assert all(entered.acquire(timeout=5) for _ in waiting)
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            _ask(port, "GET", "/slow")
        go_on.set()
        assert [connection.getresponse().status for connection in waiting] == [200] * len(waiting)
        for connection in waiting:
            connection.close()
        assert _is_served_soon(port, "/slow")


def _begun(port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/slow")
    return connection


def _is_served_soon(port: int, path: str) -> bool:
    """The place of a request is free a moment after its end."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with suppress(ConnectionError, http.client.RemoteDisconnected):
            return _ask(port, "GET", path)[0] == 200
    return False


def test_a_client_that_breaks_off_leaves_nothing_behind() -> None:
    with _serving(disk=lambda: {}) as port:
        for _ in range(3 * MOST_OF_ONE):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET /disk HT")
        assert _is_served_soon(port, "/disk")


def test_the_agent_imports_nothing_but_the_standard_library_and_our_own() -> None:
    """Memory counts once per server: pydantic alone would double it."""
    program = (
        "import functions.pods.agent, sys; "
        "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    asked = [sys.executable, "-S", "-c", program]
    loaded = subprocess.run(
        asked, capture_output=True, text=True, check=True, timeout=60, cwd=ROOT, env={}
    )
    assert set(loaded.stdout.split()) == {"__main__", "functions"}


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Callable[[int], subprocess.Popen[bytes]]]:
    """Start the agent of a server on a port; returns once it answers."""
    started = []

    def start(client_port: int) -> subprocess.Popen[bytes]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        names = ("DATA_DIR", "DATA_LOG_DIR", "CFG_DIR", "RAW_CFG_DIR")
        variables = {**dict.fromkeys(names, str(tmp_path)), "STATIC_CONFIG": "zoo.cfg"}
        ports = {"AGENT_PORT": str(port), "CLIENT_PORT": str(client_port), "QUARANTINE_PORT": "0"}
        ports |= {"FOLLOWER_PORT": "2888", "LEADER_ELECTION_PORT": "3888"}
        variables |= {"CLUSTER": "zk", "DOMAIN": "zk.apps.svc.cluster.local"}
        command = [sys.executable, "-m", "functions.pods.agent"]
        process = subprocess.Popen(command, cwd=ROOT, env={**variables, **ports})
        started.append(process)
        assert _is_served_soon(port, "/disk")
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.thorough
def test_an_agent_stays_until_no_client_is_sent_to_its_stopped_server(
    agent: Callable[[int], subprocess.Popen[bytes]],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = agent(server.getsockname()[1])
        told.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            told.wait(FAREWELL_SECONDS + 1)
    ended = time.monotonic()
    assert told.wait(30) == 0
    assert FAREWELL_SECONDS <= time.monotonic() - ended < FAREWELL_SECONDS + 5
