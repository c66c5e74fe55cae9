"""Start all parts inside the platform's network and start again whatever ends.

Stops when it is told to (SIGTERM) or when the process outside is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import ssl
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.control_plane import binaries
from local.platform import addresses, network
from local.platform.parts import (
    CHECKOUT,
    CONTROL_PLANE,
    HostSockets,
    KnativeEventing,
    Part,
    environment,
    parts,
)
from local.platform.state import State, write_atomically

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 10.0
STOP_SECONDS = 2.5
PODS_SECONDS = 2.5
API_SECONDS = 60.0
CONNECT_SECONDS = 0.5
POLL_SECONDS = 0.05

log = logging.getLogger("platform")


@dataclass(slots=True)
class Life:
    """What is known about one part at this moment."""

    state: str
    since: float
    pid: int = 0
    restarts: int = 0
    exit_code: int | None = None


class Supervisor:
    """Keeps the parts of one platform running."""

    def __init__(self, state: State, wanted: list[Part]) -> None:
        self._state = state
        self._parts = wanted
        self._lives = {part.name: Life("waiting", time.time()) for part in wanted}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Run until told to stop."""
        tasks = [asyncio.create_task(self._start_all())]
        await self._stopping.wait()
        log.info("stopping")
        for task in tasks:
            task.cancel()
        await self._stop_pods()
        await self._stop_parts()
        log.info("stopped")

    async def _start_all(self) -> None:
        """The API server first: everybody else would only compete with it for the processor."""
        async with asyncio.TaskGroup() as group:
            later = []
            for part in self._parts:
                if part.name in CONTROL_PLANE:
                    group.create_task(self._keep(part))
                else:
                    later.append(part)
            await _api_answers(self._state)
            for part in later:
                group.create_task(self._keep(part))

    async def _keep(self, part: Part) -> None:
        """Run one part for ever; pause longer the more often it ends soon."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            await self._until_let_go(part)
            started = time.monotonic()
            code = await self._run_once(part)
            steady = time.monotonic() - started > STEADY_SECONDS
            pause = FIRST_PAUSE_SECONDS if steady else min(pause * 2, LONGEST_PAUSE_SECONDS)
            if self._stopping.is_set():
                return
            log.warning("%s ended with %s; starting it again in %.1f s", part.name, code, pause)
            self._note(part.name, state="waiting", pid=0, exit_code=code)
            await asyncio.sleep(pause)
            self._note(part.name, restarts=self._lives[part.name].restarts + 1)

    async def _until_let_go(self, part: Part) -> None:
        """A part that was stopped on purpose waits until it may start."""
        hold = self._state.hold_of(part.name)
        if hold.exists():
            self._note(part.name, state="stopped")
        while hold.exists():
            await asyncio.sleep(POLL_SECONDS)

    async def _run_once(self, part: Part) -> int:
        with self._state.log_of(part.name).open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *part.command,
                cwd=CHECKOUT,
                env=environment(self._state),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=part.descriptors,
                # A signal meant for one part must not reach the others.
                start_new_session=True,
            )
        self._running[part.name] = process
        self._note(part.name, state="starting", pid=process.pid)
        answers = asyncio.create_task(self._note_when_it_answers(part))
        try:
            return await process.wait()
        finally:
            answers.cancel()

    async def _note_when_it_answers(self, part: Part) -> None:
        while part.answers_on is not None and not await _takes_connections(*part.answers_on):
            await asyncio.sleep(POLL_SECONDS)
        self._note(part.name, state="running")

    def _note(self, name: str, **changes: Any) -> None:
        life = self._lives[name]
        for attribute, value in changes.items():
            setattr(life, attribute, value)
        if "state" in changes:
            life.since = time.time()
        lives = {
            name: {
                "state": life.state,
                "since": life.since,
                "pid": life.pid,
                "restarts": life.restarts,
                "exitCode": life.exit_code,
            }
            for name, life in self._lives.items()
        }
        write_atomically(self._state.parts_file, json.dumps(lives))

    async def _stop_pods(self) -> None:
        """Ask all pods to stop while the node is frozen, so that it does not start them again."""
        node = self._running.get("node")
        if node is None or node.returncode is not None:
            return
        node.send_signal(signal.SIGSTOP)
        for pid in pod_processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + PODS_SECONDS
        while pod_processes() and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
        node.kill()

    async def _stop_parts(self) -> None:
        """Everything but the API server and its store is asked to stop, and given time.

        What then is left ends with the first process, whose end is the end of all inside.
        """
        asked = [
            process
            for name, process in self._running.items()
            if name not in CONTROL_PLANE and process.returncode is None
        ]
        for process in asked:
            with suppress(ProcessLookupError):
                process.terminate()
        if asked:
            await asyncio.wait(
                [asyncio.create_task(process.wait()) for process in asked], timeout=STOP_SECONDS
            )


def pod_processes() -> list[int]:
    """Return the processes in PID namespaces below this one, without the sandboxes around them."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        if len(fields["NSpid"].split()) > 1 and fields["Name"] != "bwrap":
            found.append(int(entry.name))
    return found


async def _takes_connections(host: str, port: int) -> bool:
    try:
        opening = asyncio.open_connection(host, port)
        _, writer = await asyncio.wait_for(opening, CONNECT_SECONDS)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _api_answers(state: State) -> None:
    """Wait until the API server says that it is ready."""
    context = ssl.create_default_context(cafile=str(state.keys / "ca.crt"))
    deadline = time.monotonic() + API_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            if await asyncio.wait_for(_is_ready(context), 2.0):
                return
        await asyncio.sleep(POLL_SECONDS)
    log.error("the API server was not ready within %.0f s; going on anyway", API_SECONDS)


async def _is_ready(context: ssl.SSLContext) -> bool:
    reader, writer = await asyncio.open_connection(
        addresses.GATEWAY, addresses.API_PORT, ssl=context
    )
    try:
        writer.write(b"GET /readyz HTTP/1.0\r\n\r\n")
        status = await reader.readline()
    finally:
        writer.close()
    return b" 200 " in status


def main(options: argparse.Namespace) -> int:
    """Make the network, then run the parts; returns the exit code."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        network.set_up(options.state)
    except OSError as error:
        log.error("cannot make the platform's network: %s", error)  # noqa: TRY400
        return 1
    asyncio.run(_run(options))
    return 0


async def _run(options: argparse.Namespace) -> None:
    state = State(options.state)
    programs = {name: binaries.find(name) or Path(name) for name in binaries.COMMANDS}
    sockets = HostSockets(options.api_fd, options.ingress_fd, options.outside_fd)
    without = frozenset(options.without.split(","))
    wanted = parts(state, programs, sockets, without, KnativeEventing.parse(options.eventing))
    supervisor = Supervisor(state, wanted)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, supervisor.stop)
    # The pipe's other end is held by the process outside: readable means that it is gone.
    loop.add_reader(options.lifeline_fd, lambda: _outside_gone(loop, options, supervisor))
    await supervisor.run()


def _outside_gone(
    loop: asyncio.AbstractEventLoop, options: argparse.Namespace, supervisor: Supervisor
) -> None:
    loop.remove_reader(options.lifeline_fd)
    supervisor.stop()
