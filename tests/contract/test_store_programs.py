"""The programs of a backup's Jobs, run as a pod runs them, against a real S3 server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from functions.adapters.stores.port import ObjectStore
from tests.backup_environment import backup_environment
from tests.contract.processes import free_ports, until
from tests.contract.store_servers import RealSide, s3_server
from tests.unit.server_folders import EPOCH, server_folder, set_data
from tests.unit.zookeeper_files import LOG_HEADER, ZEROS

pytestmark = pytest.mark.contract

LARGE_BYTES = 300 << 20
DATA_BYTES = 500_000


@dataclass
class Job:
    """A pod's surroundings: the environment of its store, and where its last words go."""

    store: dict[str, str]
    folder: Path
    port: int

    def environment(self, pod: str, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            **self.store,
            **backup_environment(self.folder / "version-2", POD_NAME=pod),
            "TERMINATION_LOG": str(self.message),
            "PROGRESS_PORT": str(self.port),
            **more,
        }

    @property
    def message(self) -> Path:
        return self.folder / "termination-log"

    def run(self, program: str, pod: str = "pod", **more: str) -> tuple[int, dict[str, Any]]:
        """Run a program to its end; return its exit code and its last words."""
        with self.started(program, pod, **more) as process:
            code = process.wait(120)
        return code, json.loads(self.message.read_text())

    @contextmanager
    def started(self, program: str, pod: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        self.message.unlink(missing_ok=True)
        command = [sys.executable, "-m", f"functions.pods.{program}"]
        with subprocess.Popen(command, env=self.environment(pod, **more)) as process:
            try:
                yield process
            finally:
                process.kill()

    def progress(self) -> dict[str, Any] | None:
        try:
            address = f"http://127.0.0.1:{self.port}/progress"
            with urllib.request.urlopen(address, timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except OSError:
            return None


@pytest.fixture
def job(tmp_path: Path) -> Iterator[tuple[Job, ObjectStore]]:
    server_folder(tmp_path / "version-2")
    with s3_server(tmp_path) as server:
        side = RealSide(server)
        store = side.store(CREATE_BUCKET="true")
        (port,) = free_ports(1)
        yield Job(server.environment(side.bucket), tmp_path, port), store


def test_a_backup_is_made_proven_and_removed(job: tuple[Job, ObjectStore]) -> None:
    pod, store = job
    code, made = pod.run("copy_out")
    assert (code, made["zxid"], made["verified"]) == (0, "0x100000009", True)
    assert pod.run("verify", KEY=made["key"])[1]["checksum"] == made["checksum"]
    assert _command(pod, made["key"]).returncode == 0

    store.put(f"{made['key']}/log.100000006", b"not a log")
    code, refused = pod.run("verify", KEY=made["key"])
    assert (code, refused["final"]) == (2, True)
    assert "log.100000006 has 9 bytes" in refused["error"]
    shown = _command(pod, made["key"])
    assert (shown.returncode, "log.100000006 has 9 bytes" in shown.stdout) == (1, True)

    assert pod.run("prune", KEYS="default/other/once/pod")[0] == 2
    assert pod.run("prune", KEYS=f"{made['key']}\n") == (0, {"deleted": 1})
    assert list(store.list("")) == []


def _command(pod: Job, key: str) -> subprocess.CompletedProcess[str]:
    store = pod.store
    where = ["--endpoint", store["ENDPOINT"], "--bucket", store["BUCKET"], "--key", key]
    return subprocess.run(
        [sys.executable, "-m", "functions", "verify", "--s3", *where],
        env=pod.environment("pod"), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.soak
def test_a_program_that_is_stopped_leaves_nothing_and_the_next_makes_it_all(
    job: tuple[Job, ObjectStore],
) -> None:
    pod, store = job
    _write_large_log(pod.folder / "version-2" / "log.100000006")
    with pod.started("copy_out", "first") as process:
        until(lambda: (pod.progress() or {}).get("done"), "bytes were sent")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 1
    message = json.loads(pod.message.read_text())
    assert message == {"error": "The pod was stopped before the work was done.", "final": False}
    assert list(store.list("")) == []
    code, made = pod.run("copy_out", "second")
    assert (code, made["size"] > LARGE_BYTES) == (0, True)


def _write_large_log(path: Path) -> None:
    with path.open("wb") as file:
        file.write(LOG_HEADER)
        for count in range(6, 6 + LARGE_BYTES // DATA_BYTES + 1):
            file.write(set_data(EPOCH | count, DATA_BYTES))
        file.write(ZEROS)


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        pytest.param({"SECRET_KEY": "wrong-secret"}, 2, "", id="credentials"),
        pytest.param({"BUCKET": "nobody-made-it"}, 2, "nobody-made-it", id="bucket"),
        pytest.param({"POD_NAME": "../escape"}, 2, "../escape", id="a-path-trick"),
    ],
)
def test_what_another_try_cannot_mend_ends_the_job(
    job: tuple[Job, ObjectStore], wrong: dict[str, str], code: int, said: str
) -> None:
    pod, _ = job
    ended, message = pod.run("copy_out", **wrong)
    assert (ended, message["final"]) == (code, True)
    assert said in message["error"]
    assert "wrong-secret" not in pod.message.read_text()
