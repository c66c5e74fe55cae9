"""How a program in a Job's pod ends: its result as the termination message, and its exit code.

The message is one JSON object: on success the result, otherwise `{"error": ..., "final": ...}` with
a sentence that names the object. Exit code 0: done; 2: no other try can do better; 1: another try
is worth it. SIGTERM raises `Stopped`, so that a program cleans up on its way out.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

from functions.api.errors import FunctionError

log = logging.getLogger("outcome")

DONE, TRY_AGAIN, FINAL = 0, 1, 2
TERMINATION_LOG = "/dev/termination-log"
# What Kubernetes keeps of a termination message.
LARGEST = 4096


class Stopped(FunctionError):
    """The pod is being stopped: the work was not finished, and may be begun again."""

    is_final: ClassVar[bool] = False


class Failed(FunctionError):
    """What a program cannot do, and no other try of it could."""

    is_final: ClassVar[bool] = True


def run(work: Callable[[], Mapping[str, Any]], environment: Mapping[str, str]) -> int:
    """Do the work, leave its result for whoever reads the pod's status; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    signal.signal(signal.SIGTERM, _stop)
    code, message = _outcome(work)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    text = json.dumps(message)
    log.info("%s", text)
    path = Path(environment.get("TERMINATION_LOG") or TERMINATION_LOG)
    try:
        path.write_text(text)
    except OSError as error:
        log.warning("the result cannot be written to %s: %s", path, error)
    return code


def _outcome(work: Callable[[], Mapping[str, Any]]) -> tuple[int, Mapping[str, Any]]:
    try:
        return DONE, work()
    except FunctionError as error:
        is_final = bool(getattr(error, "is_final", False))
        return (FINAL if is_final else TRY_AGAIN), _failure(str(error), is_final=is_final)
    except OSError as error:
        where = error.filename or "a file or a connection"
        return TRY_AGAIN, _failure(f"{where} cannot be used: {error}", is_final=False)
    except Exception as error:
        log.exception("bug")
        sentence = f"A defect in this program: {type(error).__name__}. The pod's log has the rest."
        return TRY_AGAIN, _failure(sentence, is_final=False)


def _stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    # What cleans up after the first one is not to be stopped by a second.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped("The pod was stopped before the work was done.")


def _failure(sentence: str, *, is_final: bool) -> dict[str, Any]:
    """Return the message; what is too long for one is cut at its end."""
    message = {"error": sentence, "final": is_final}
    while len(json.dumps(message)) > LARGEST:
        sentence = sentence[: len(sentence) * 3 // 4]
        message["error"] = f"{sentence} [cut]"
    return message
