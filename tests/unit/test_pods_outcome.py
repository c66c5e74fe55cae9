"""How the programs of Job pods end, and how far they say they are."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from functions.adapters.stores.errors import NoSuchBucket, Throttled
from functions.backups.unproven import Unproven
from functions.pods.outcome import LARGEST, run
from functions.pods.progress import served


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def failing(error: BaseException) -> Callable[[], Mapping[str, Any]]:
    def work() -> Mapping[str, Any]:
        raise error

    return work


def outcome(work: Callable[[], Mapping[str, Any]], folder: Path) -> tuple[int, dict[str, Any]]:
    message = folder / "termination-log"
    code = run(work, {"TERMINATION_LOG": str(message)})
    return code, json.loads(message.read_text())


def test_the_result_is_the_message_of_a_program_that_did_its_work(tmp_path: Path) -> None:
    assert outcome(lambda: {"key": "a/b"}, tmp_path) == (0, {"key": "a/b"})


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        pytest.param(NoSuchBucket("no bucket b"), 2, "no bucket b", id="for-good"),
        pytest.param(Unproven("a is cut"), 2, "a is cut", id="a-damaged-backup"),
        pytest.param(Throttled("slow down"), 1, "slow down", id="worth-another-try"),
        pytest.param(
            PermissionError(13, "Permission denied", "/data"),
            1,
            "/data cannot be used: [Errno 13] Permission denied: '/data'",
            id="a-volume-that-cannot-be-read",
        ),
        pytest.param(
            KeyError("secret"),
            1,
            "A defect in this program: KeyError. The pod's log has the rest.",
            id="a-defect-shows-no-values",
        ),
    ],
)
def test_a_failure_is_a_sentence_and_says_whether_another_try_helps(
    tmp_path: Path, error: BaseException, code: int, sentence: str
) -> None:
    message = {"error": sentence, "final": code == 2}
    assert outcome(failing(error), tmp_path) == (code, message)


def test_a_long_sentence_is_cut_to_what_kubernetes_keeps(tmp_path: Path) -> None:
    code, message = outcome(failing(Unproven("ö" * 10_000)), tmp_path)
    assert code == 2
    assert (tmp_path / "termination-log").stat().st_size <= LARGEST
    assert message["error"].endswith("ö [cut]")


def test_a_program_that_is_stopped_cleans_up_and_may_be_run_again(tmp_path: Path) -> None:
    cleaned = []

    def work() -> Mapping[str, Any]:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(10)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned.append("up")
        return {}

    code, message = outcome(work, tmp_path)
    assert (code, message["final"], cleaned) == (1, False, ["up"])


def test_a_program_ends_after_its_time_whatever_it_waits_for(tmp_path: Path) -> None:
    def work() -> Mapping[str, Any]:
        threading.Event().wait(10)
        return {}

    message = tmp_path / "termination-log"
    assert run(work, {"TERMINATION_LOG": str(message), "TIMEOUT_SECONDS": "1"}) == 2
    assert json.loads(message.read_text()) == {
        "error": "The work was not done within 1 s. If the store is that slow, a "
        "ZooKeeperBackup may have more time by spec.timeout.",
        "final": True,
    }


def test_progress_is_served_while_the_work_goes_on() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with served({"PROGRESS_PORT": str(port)}) as progress:
        progress.begin("copying", 100)
        progress.add(40)
        address = f"http://127.0.0.1:{port}/progress"
        with urllib.request.urlopen(address, timeout=5) as answer:
            assert json.load(answer) == {"done": 40, "total": 100, "phase": "copying"}


def test_the_work_goes_on_where_the_port_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        with served({"PROGRESS_PORT": str(taken.getsockname()[1])}) as progress:
            progress.tell(1, 2, "proving")
            assert progress.seen() == {"done": 1, "total": 2, "phase": "proving"}
