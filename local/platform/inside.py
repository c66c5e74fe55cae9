"""`run -- CMD`: run a command inside a running platform's namespaces."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from local.platform.parts import environment
from local.platform.start import running_record
from local.platform.state import State


class NotRunning(Exception):
    """There is no platform to look at."""


def command_inside(state: State, command: Sequence[str]) -> list[str]:
    """Return the command that runs `command` inside; raises NotRunning."""
    record = running_record(state)
    if record is None:
        raise NotRunning(
            f"no platform runs in {state.folder}: start one with `python -m local up`."
        )
    owner = Path(f"/proc/{record.init.pid}").stat().st_uid
    if owner != os.getuid():
        raise NotRunning(f"the platform in {state.folder} belongs to user {owner}: run this as it.")
    namespaces = ("--user", "--net", "--mount", "--pid", "--ipc", "--uts")
    return [
        *("nsenter", f"--target={record.init.pid}", *namespaces, "--preserve-credentials", "--"),
        # Entering a mount namespace leaves the working directory behind.
        *("env", f"--chdir={Path.cwd()}", *command),
    ]


def replace_by(state: State, command: Sequence[str]) -> None:
    """Become the command, so that its terminal, signals and exit code are the caller's."""
    inside = command_inside(state, command)
    os.execvpe(inside[0], inside, environment(state))
