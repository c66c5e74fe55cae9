"""`up`: start a platform in the background and wait until it can be used."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.control_plane import binaries
from local.knative_eventing import checkout as knative
from local.platform import requirements
from local.platform.health import Health, health
from local.platform.outside import listen
from local.platform.parts import CHECKOUT, KnativeEventing, python_path
from local.platform.preparation import prepare
from local.platform.state import Record, State
from local.platform.stop import remove_leftovers

PREFERRED_API_PORT = 16443
PREFERRED_INGRESS_PORT = 18480
READY_SECONDS = 120.0
POLL_SECONDS = 0.1
HOPELESS_RESTARTS = 4

Say = Callable[[str], None]


class CannotStart(Exception):
    """The platform cannot start; the message says what to do about it."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller asks of a new platform."""

    api_port: int | None = None
    ingress_port: int | None = None
    without: Collection[str] = ()
    # A checkout of knative/eventing, which is then built and run in place of our own eventing.
    eventing: Path | None = None


def up(state: State, wishes: Wishes, say: Say) -> Record:
    """Start the platform unless it runs; raises CannotStart or NoBinaries."""
    if problems := requirements.missing():
        raise CannotStart("\n".join(problems))
    programs = binaries.ensure(say)
    eventing = _real_eventing(wishes.eventing, say)
    with _only_one(state):
        if running := running_record(state):
            say(f"already running (kubeconfig {state.kubeconfig})")
            return _wait_until_usable(state, lambda: running.outside.is_alive, _silent)
        remove_leftovers(state)
        state.claim()
        with (
            open_port(wishes.api_port, PREFERRED_API_PORT, "--api-port") as api,
            open_port(wishes.ingress_port, PREFERRED_INGRESS_PORT, "--ingress-port") as ingress,
        ):
            prepare(state, programs, api.getsockname()[1])
            outside = _start_outside(state, api, ingress, wishes.without, eventing)
        return _wait_until_usable(state, lambda: outside.poll() is None, say)


def running_record(state: State) -> Record | None:
    """Return the record of a platform whose processes are alive; None for a half-dead one."""
    record = state.record()
    if record is None or not record.init.is_alive or not record.outside.is_alive:
        return None
    return record


def _real_eventing(checkout: Path | None, say: Say) -> str:
    """Return the checkout and its programs, built if need be, as one argument."""
    if checkout is None:
        return ""
    folder = checkout.absolute()
    knative.check(folder)
    return str(KnativeEventing(folder, knative.ensure(folder, say)))


@contextmanager
def _only_one(state: State) -> Iterator[None]:
    """Two `up` at once on one state folder: the second waits, then finds it running."""
    state.claim()
    folder = os.open(state.folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def open_port(wanted: int | None, preferred: int, option: str) -> socket.socket:
    """Open the wanted port or say that it is taken; without a wish, any free one will do."""
    if wanted is None:
        try:
            return listen(preferred)
        except OSError:
            return listen(0)
    try:
        return listen(wanted)
    except OSError as error:
        raise CannotStart(
            f"port {wanted} on 127.0.0.1 cannot be used ({error.strerror}): stop what uses it "
            f"or choose another port with {option}."
        ) from error


def _start_outside(
    state: State,
    api: socket.socket,
    ingress: socket.socket,
    without: Collection[str],
    eventing: str,
) -> subprocess.Popen[bytes]:
    command = [
        *(sys.executable, "-m", "local.platform.outside", "--state", str(state.folder)),
        *("--api-fd", str(api.fileno()), "--ingress-fd", str(ingress.fileno())),
        *("--without", ",".join(without), "--eventing", eventing),
    ]
    path = f"{os.environ.get('PATH', '')}:{requirements.SYSTEM_FOLDERS}"
    with state.log_of("platform").open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONPATH": python_path(), "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(api.fileno(), ingress.fileno()),
            start_new_session=True,
        )


def _silent(_line: str) -> None:
    """For a platform whose start was said before."""


def _wait_until_usable(state: State, is_alive: Callable[[], bool], say: Say) -> Record:
    started = time.monotonic()
    said: set[str] = set()
    seen = Health()
    while time.monotonic() - started < READY_SECONDS:
        if not is_alive():
            raise CannotStart(f"the platform ended again:\n{tail(state.log_of('platform'))}")
        record = running_record(state)
        seen = health(state)
        for step in seen.done:
            if step not in said:
                say(f"{time.monotonic() - started:5.1f} s  {step}")
                said.add(step)
        if record is not None and seen.is_usable:
            return record
        if any(part["restarts"] >= HOPELESS_RESTARTS for part in state.parts().values()):
            break
        time.sleep(POLL_SECONDS)
    waited = time.monotonic() - started
    raise CannotStart(_what_is_missing(state, seen, waited))


def _what_is_missing(state: State, seen: Health, waited: float) -> str:
    lines = [f"the platform is not usable after {waited:.0f} s, it waits for {seen.waiting_for}."]
    for name, part in state.parts().items():
        if part["restarts"]:
            lines += [f"--- the end of {state.log_of(name)}:", tail(state.log_of(name))]
    lines.append("It is still running: look at it with `status` and `logs`, end it with `down`.")
    return "\n".join(lines)


def tail(path: Path, lines: int = 15) -> str:
    """Return the last lines of a log, or a word that there is none."""
    if not path.exists():
        return f"(there is no {path})"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
