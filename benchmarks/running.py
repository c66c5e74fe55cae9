"""The platform that is measured: one of its own, or one that runs already."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local.platform import start, stop
from local.platform.handle import Platform
from local.platform.inside import command_inside
from local.platform.parts import CHECKOUT, environment
from local.platform.state import State

OVERLAY = "config/overlays/local"
SAMPLE = "config/samples/cluster-small.yaml"
NAMESPACE = "zookeeper-functions"
READY = "--timeout=120s"

Say = Callable[[str], None]
Stream = int | IO[bytes]


class Failed(Exception):
    """Something that is measured did not work; says what."""


@contextmanager
def platform_with_product(
    lent: Path | None, say: Say, *, with_sample: bool = True
) -> Iterator[Platform]:
    """A platform with the functions, and one settled cluster on it unless nobody wants it."""
    with _platform(lent, say) as platform:
        say("installing the functions")
        platform.kubectl("apply", "--server-side", "--force-conflicts", "-k", OVERLAY)
        everything = "ksvc,broker,trigger,apiserversource,pingsource"
        ready = ("wait", everything, "--all", "--for=condition=Ready", READY)
        platform.kubectl(*ready, "-n", NAMESPACE)
        if with_sample:
            _apply_sample(platform, say)
        yield platform


def _apply_sample(platform: Platform, say: Say) -> None:
    say("making the sample cluster")
    platform.kubectl("apply", "-f", SAMPLE)
    for condition in ("Available", "Scaled", "Reconciled"):
        platform.kubectl("wait", "-f", SAMPLE, f"--for=condition={condition}", READY)


@contextmanager
def _platform(lent: Path | None, say: Say) -> Iterator[Platform]:
    if lent is not None:
        yield Platform(lent.absolute())
        return
    with tempfile.TemporaryDirectory(prefix="zookeeper-functions-bench-") as folder:
        state = State(Path(folder) / "state")
        say("starting a platform")
        try:
            start.up(state, start.Wishes(), lambda _line: None)
            yield Platform(state.folder)
        finally:
            stop.down(state)


def start_inside(
    platform: Platform,
    command: Sequence[str],
    *,
    stdout: Stream = subprocess.PIPE,
    stderr: Stream = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """Start a command in the platform's network; what it prints can be read from the answer.

    It has to be: a pipe that nobody reads stops what writes into it. A file is never full.
    """
    state = State(platform.state)
    return subprocess.Popen(
        command_inside(state, command),
        cwd=CHECKOUT,
        env=environment(state),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        text=True,
    )


def run_inside(platform: Platform, command: Sequence[str], *, text: str, seconds: float) -> str:
    """Run a command in the platform's network to its end; raises Failed with what it said."""
    process = start_inside(platform, command)
    try:
        out, error = process.communicate(text, timeout=seconds)
    finally:
        process.kill()
    if process.returncode != 0:
        raise Failed(error.strip() or f"{command} ended with {process.returncode}")
    return out
