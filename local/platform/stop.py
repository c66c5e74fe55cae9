"""`down`: end a platform completely and remove its state folder."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from local.platform.state import KEPT, MARKER, Process, State

GRACEFUL_SECONDS = 8.0
KILL_SECONDS = 5.0
POLL_SECONDS = 0.02


class CannotStop(Exception):
    """Something of the platform is left; the message says what."""


def down(state: State) -> bool:
    """End the platform and remove its folder; returns whether there was anything to end.

    Raises NotOurs for a folder that is no platform's.
    """
    if not state.folder.exists():
        return False
    remove_leftovers(state)
    with suppress(OSError):  # A file that the user put there keeps the folder.
        state.folder.rmdir()
    return True


def end_processes(state: State) -> None:
    """Ask the first process to stop, then kill it: the kernel ends all that is inside with it."""
    record = state.record()
    if record is None:
        return
    _signal(record.init, signal.SIGTERM)
    if not _ended((record.init, record.outside), GRACEFUL_SECONDS):
        _signal(record.init, signal.SIGKILL)
        _signal(record.outside, signal.SIGKILL)
    if not _ended((record.init, record.outside), KILL_SECONDS):
        raise CannotStop(
            f"processes {record.init.pid} and {record.outside.pid} do not end: they may be "
            "waiting for a disk; run `python -m local down` again later."
        )


def remove_leftovers(state: State) -> None:
    """End what is left of a platform and empty its folder, except for the user's own files."""
    state.check_ownership()
    end_processes(state)
    # The marker goes last: a removal that was interrupted can then be repeated.
    for path in sorted(state.folder.iterdir(), key=lambda found: found.name == MARKER):
        if path.name in KEPT:
            continue
        if path.is_dir() and not path.is_symlink():
            _remove(path)
        else:
            path.unlink(missing_ok=True)


def _signal(process: Process, number: signal.Signals) -> None:
    if process.is_alive:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _ended(processes: tuple[Process, ...], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(process.is_alive for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, onerror=_allow_and_retry)


def _allow_and_retry(remove: Callable[[str], object], path: str, error: Any) -> None:
    """A pod may have taken away its owner's right to a folder of its volume."""
    if isinstance(error[1], FileNotFoundError):
        return
    Path(path).parent.chmod(0o700)
    if Path(path).is_dir() and not Path(path).is_symlink():
        Path(path).chmod(0o700)
        shutil.rmtree(path)
    else:
        remove(path)
