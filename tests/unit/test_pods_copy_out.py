"""The programs of a backup's Jobs, on a store in memory: what they are told, what they answer."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from functions.adapters.memory import MemoryObjectStore
from functions.backups.keys import InvalidKey
from functions.backups.manifest import UNFINISHED
from functions.backups.proof import prove_prefix
from functions.backups.taken import NotTaken
from functions.backups.taking import Committed
from functions.backups.unproven import Unproven
from functions.pods.copy_out import committed, copy_out
from functions.pods.outcome import Failed
from functions.pods.prune import prune
from functions.pods.verify import verify
from tests.backup_environment import backup_environment
from tests.unit.server_folders import END, EPOCH, OBJECT_KEY, server_folder

SRVR = (
    "Zookeeper version: 3.9.5-46a4b3, built on 2026-01-01 00:00 UTC\n"
    "Connections: 2\nOutstanding: 0\nZxid: {zxid:#x}\nMode: follower\nNode count: 6\n"
)
SILENT = "This ZooKeeper instance is not currently serving requests\n"


@contextmanager
def answering(text: str) -> Iterator[int]:
    """A server that answers every question with `text`; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(text.encode())

        Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def environment(folder: Path, **more: str) -> dict[str, str]:
    members = '[{"id":1,"name":"zk-0","role":"participant"}]'
    return backup_environment(folder / "version-2", **{"MEMBERS": members, **more})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    server_folder(tmp_path / "version-2")
    return tmp_path


def test_the_result_of_a_backup_is_what_its_record_needs(folder: Path) -> None:
    store = MemoryObjectStore()
    with answering(SRVR.format(zxid=END - 1)) as port:
        served = environment(folder, SERVER_HOST="127.0.0.1", CLIENT_PORT=str(port))
        result = copy_out(served, lambda: store)
    manifest = prove_prefix(store, f"{OBJECT_KEY}/pod").manifest
    assert manifest is not None
    assert {name: result[name] for name in ("key", "zxid", "server", "version", "verified")} == {
        "key": f"{OBJECT_KEY}/pod",
        "zxid": f"{END - 1:#x}",
        "server": "zk-0",
        "version": "3.9.5",
        "verified": True,
    }
    assert (result["nodes"], result["size"]) == (6, manifest.size)
    assert (manifest.namespace, manifest.members) == (
        "default",
        ({"id": 1, "name": "zk-0", "role": "participant"},),
    )
    assert "warning" not in result
    assert len(json.dumps(result)) < 4096


def test_a_backup_without_a_server_warns(folder: Path) -> None:
    result = copy_out(environment(folder, VERIFY="false"), MemoryObjectStore)
    assert result["verified"] is False
    assert "No server served" in result["warning"]


def test_the_snapshot_method_gives_way_to_the_files_and_says_why(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    admin = {"METHOD": "snapshot", "ADMIN_HOST": "127.0.0.1", "ADMIN_PORT": str(port)}
    result = copy_out(environment(folder, **admin, ADMIN_AUTH="digest super:s3"), MemoryObjectStore)
    assert "cannot be asked for a snapshot" in result["warning"]
    assert "super" not in json.dumps(result)
    with pytest.raises(NotTaken, match="cannot be asked for a snapshot"):
        copy_out(environment(folder, **admin, SNAPSHOT_DIR="", LOG_DIR=""), MemoryObjectStore)
    with pytest.raises(Failed, match="lie on no volume"):
        copy_out(environment(folder, SNAPSHOT_DIR="", LOG_DIR=""), MemoryObjectStore)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(SILENT, "it is in no quorum", id="no-quorum"),
        pytest.param("what?", "could not be understood", id="another-program"),
    ],
)
def test_a_server_that_does_not_say_how_far_it_is_is_no_end_of_a_backup(
    answer: str, said: str
) -> None:
    with answering(answer) as port:
        asked = {"SERVER_HOST": "127.0.0.1", "CLIENT_PORT": str(port)}
        with pytest.raises(NotTaken, match=said):
            committed(asked, seconds=0.1)


def test_a_serving_server_says_how_far_it_is() -> None:
    with answering(SRVR.format(zxid=EPOCH | 7)) as port:
        asked = {"SERVER_HOST": "127.0.0.1", "CLIENT_PORT": str(port)}
        assert committed(asked) == Committed(EPOCH | 7, 6)
    assert committed({"SERVER_HOST": ""}) is None


def test_a_server_that_takes_clients_by_tls_alone_says_it_to_its_agent() -> None:
    told = {"Epoch": 1, "Counter": 7, "Connections": 0, "NodeCount": 6}
    body = json.dumps({**told, "Role": "follower", "Version": "3.9.5-x", "Error": None})
    with answering(f"HTTP/1.0 200 OK\r\n\r\n{body}") as agent:
        asked = {"SERVER_HOST": "127.0.0.1", "CLIENT_PORT": "1", "AGENT_PORT": str(agent)}
        assert committed(asked) == Committed(0x100000007, 6)


def test_a_proof_answers_what_was_proven(folder: Path) -> None:
    store = MemoryObjectStore()
    made = copy_out(environment(folder), lambda: store)
    answer = verify({"KEY": made["key"] + "/", "PROGRESS_PORT": "0"}, lambda: store)
    assert (answer["zxid"], answer["checksum"]) == (made["zxid"], made["checksum"])
    store.delete([f"{made['key']}/manifest.json"])
    answer = verify({"KEY": made["key"], "PROGRESS_PORT": "0"}, lambda: store)
    assert "no manifest.json" in answer["warning"]
    store.put(f"{made['key']}/{UNFINISHED}", b"")
    with pytest.raises(Unproven, match="never finished"):
        verify({"KEY": made["key"], "PROGRESS_PORT": "0"}, lambda: store)


def test_removal_looks_at_every_key_before_it_removes_the_first(folder: Path) -> None:
    store = MemoryObjectStore()
    made = copy_out(environment(folder), lambda: store)
    before = set(store.objects)
    asked = {"OBJECT_KEY": OBJECT_KEY, "PROGRESS_PORT": "0"}
    with pytest.raises(InvalidKey):
        prune({**asked, "KEYS": f"{made['key']}\ndefault/nightly/other/pod"}, lambda: store)
    assert set(store.objects) == before
    assert prune({**asked, "KEYS": f"{made['key']}\n"}, lambda: store) == {"deleted": 1}
    assert store.objects == {}
