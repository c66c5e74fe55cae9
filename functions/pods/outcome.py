"""How a program in a Job's pod ends: its result as the termination message, and its exit code.

The message is one JSON object: on success the result, otherwise `{"error": ..., "final": ...}` with
a sentence that names the object. Exit code 0: done; 2: no other try can do better; 1: another try
is worth it. SIGTERM and the end of TIMEOUT_SECONDS raise `Stopped` in the main thread, so that a
program cleans up on its way out, wherever it is.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, NoReturn

from functions.api.errors import FunctionError

log = logging.getLogger("outcome")

DONE, TRY_AGAIN, FINAL = 0, 1, 2
TERMINATION_LOG = "/dev/termination-log"
# What Kubernetes keeps of a termination message.
LARGEST = 4096


class Stopped(BaseException):
    """The work must end now. No library in between may take it for an error of its own."""

    def __init__(self, sentence: str, *, is_final: bool) -> None:
        super().__init__(sentence)
        self.is_final = is_final


class Failed(FunctionError):
    """What a program cannot do, and no other try of it could."""

    is_final: ClassVar[bool] = True


def run(work: Callable[[], Mapping[str, Any]], environment: Mapping[str, str]) -> int:
    """Do the work, leave its result for whoever reads the pod's status; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    seconds = int(environment.get("TIMEOUT_SECONDS") or 0)
    with _stopped_in_time(seconds):
        code, message = _outcome(work)
    text = json.dumps(message)
    log.info("%s", text)
    path = Path(environment.get("TERMINATION_LOG") or TERMINATION_LOG)
    try:
        path.write_text(text)
    except OSError as error:
        log.warning("the result cannot be written to %s: %s", path, error)
    return code


def leave(code: int) -> NoReturn:
    """End the process at once: no thread that waits for a dead store keeps the pod."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


def _outcome(work: Callable[[], Mapping[str, Any]]) -> tuple[int, Mapping[str, Any]]:
    try:
        return DONE, work()
    except FunctionError as error:
        is_final = bool(getattr(error, "is_final", False))
        return (FINAL if is_final else TRY_AGAIN), _failure(str(error), is_final=is_final)
    except Stopped as stop:
        return (FINAL if stop.is_final else TRY_AGAIN), _failure(str(stop), is_final=stop.is_final)
    except OSError as error:
        where = error.filename or "a file or a connection"
        return TRY_AGAIN, _failure(f"{where} cannot be used: {error}", is_final=False)
    except Exception as error:
        log.exception("bug")
        sentence = f"A defect in this program: {type(error).__name__}. The pod's log has the rest."
        return TRY_AGAIN, _failure(sentence, is_final=False)


@contextmanager
def _stopped_in_time(seconds: int) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        # What cleans up after the first one is not to be stopped by a second.
        _ignore_signals()
        if number == signal.SIGTERM:
            raise Stopped("The pod was stopped before the work was done.", is_final=False)
        sentence = (
            f"The work was not done within {seconds} s. If the store is that slow, a "
            "ZooKeeperBackup may have more time by spec.timeout."
        )
        raise Stopped(sentence, is_final=True)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        _ignore_signals()


def _ignore_signals() -> None:
    signal.alarm(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _failure(sentence: str, *, is_final: bool) -> dict[str, Any]:
    """Return the message; what is too long for one is cut at its end."""
    message = {"error": sentence, "final": is_final}
    while len(json.dumps(message)) > LARGEST:
        sentence = sentence[: len(sentence) * 3 // 4]
        message["error"] = f"{sentence} [cut]"
    return message
