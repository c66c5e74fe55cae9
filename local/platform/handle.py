"""A running platform as scripts and tests use it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from local.platform.inside import command_inside
from local.platform.parts import CHECKOUT, environment, python_path
from local.platform.state import Record, State

Completed = subprocess.CompletedProcess[str]
Answer = TypeVar("Answer")

COMMAND_SECONDS = 120.0
POLL_SECONDS = 0.05


class NotInTime(AssertionError):
    """What was waited for did not come."""


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform by its state folder."""

    state: Path

    @property
    def kubeconfig(self) -> Path:
        return State(self.state).kubeconfig

    @property
    def record(self) -> Record:
        """Its ports and processes; raises LookupError when it is not running."""
        found = State(self.state).record()
        if found is None:
            raise LookupError(f"no platform runs in {self.state}")
        return found

    @property
    def api_url(self) -> str:
        return f"https://127.0.0.1:{self.record.api_port}"

    @property
    def ingress_url(self) -> str:
        """Append /NAMESPACE/BROKER."""
        return f"http://127.0.0.1:{self.record.ingress_port}"

    def kubectl(self, *words: str, input: str | None = None, check: bool = True) -> Completed:
        """Run kubectl on the host as admin; `check` raises with what kubectl said."""
        program = str(State(self.state).folder / "bin" / "kubectl")
        variables = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        return completed([program, *words], variables, input, check=check)

    def run(self, *command: str, input: str | None = None, check: bool = True) -> Completed:
        """Run a command inside the platform's network."""
        inside = command_inside(State(self.state), command)
        return completed(inside, environment(State(self.state)), input, check=check)

    def local(
        self,
        *words: str,
        check: bool = True,
        extra: Mapping[str, str] | None = None,
        seconds: float = COMMAND_SECONDS,
    ) -> Completed:
        """Run `python -m local` for this platform, with `extra` in its environment."""
        command = [sys.executable, "-m", "local", words[0], f"--state={self.state}", *words[1:]]
        variables = {**os.environ, "PYTHONPATH": python_path(), **(extra or {})}
        return completed(command, variables, check=check, seconds=seconds)


def eventually(look: Callable[[], Answer], *, seconds: float = 30.0, what: str = "") -> Answer:
    """Return the first true answer of `look`; raises NotInTime after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {seconds:.0f} s: {what or look} (last seen: {found!r})")
        time.sleep(POLL_SECONDS)


def completed(
    command: list[str],
    variables: Mapping[str, str],
    text: str | None = None,
    *,
    check: bool,
    seconds: float = COMMAND_SECONDS,
) -> Completed:
    """Run a command from the checkout; what it said is in the failure, if it is to be checked."""
    done = subprocess.run(
        command,
        env=variables,
        input=text or "",
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if check and done.returncode != 0:
        said = f"{done.stdout}{done.stderr}"
        raise AssertionError(f"`{' '.join(command)}` ended with {done.returncode}: {said}")
    return done
