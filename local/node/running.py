"""One running container: its processes, its output, and how to run something beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from local.node.container_logs import LogWriter
from local.node.errors import CannotStart
from local.node.sandbox import Sandbox, command_line, enter_command, has_started

START_SECONDS = 20.0
LOOK_SECONDS = 0.004


@dataclass(slots=True)
class Running:
    """A started container. `pid` is its first process as this program sees it."""

    pid: int
    process: asyncio.subprocess.Process
    started_at: datetime
    env: Mapping[str, str]
    workdir: str
    _copies: asyncio.Task[None]
    _log: LogWriter
    # Open until the end: bubblewrap dies when it cannot write its last status.
    _status: asyncio.ReadTransport

    async def wait(self) -> int:
        """Wait for the end and return the exit code (128 + signal for a killed container)."""
        code = await self.process.wait()
        # A grandchild that left the sandbox's process group may hold the pipes open for a moment.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._copies, 2.0)
        self._log.close()
        self._status.close()
        return 128 - code if code < 0 else code

    @property
    def has_ended(self) -> bool:
        return self.process.returncode is not None

    def send(self, number: signal.Signals) -> None:
        """Signal the container's first process; its end takes all others along."""
        if not self.has_ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def run_inside(self, command: list[str], seconds: float) -> tuple[int, str]:
        """Run a command in the container; returns its exit code and what it said.

        Raises TimeoutError after killing it.
        """
        process = await asyncio.create_subprocess_exec(
            *enter_command(self.pid, command, self.workdir, tty=False),
            env=dict(self.env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), seconds)
        except (TimeoutError, asyncio.CancelledError):
            await kill_group(process)
            raise
        code = process.returncode or 0
        return (128 - code if code < 0 else code), said.decode(errors="replace")


async def kill_group(process: asyncio.subprocess.Process) -> None:
    """End a process started in a session of its own, with all it started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def start(sandbox: Sandbox, env: Mapping[str, str], log: LogWriter) -> Running:
    """Start a container and return once its own command runs; raises CannotStart."""
    status_read, status_write = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *command_line(sandbox, status_write),
            env=dict(env),
            pass_fds=(status_write,),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    finally:
        os.close(status_write)
    assert process.stdout is not None
    assert process.stderr is not None
    started_at = datetime.now(UTC)
    copies = asyncio.create_task(_copy_all(log, process.stdout, process.stderr))
    try:
        pid, status = await _first_process(status_read)
        running = Running(pid, process, started_at, env, sandbox.workdir, copies, log, status)
        await _until_started(running, sandbox)
    except asyncio.CancelledError:
        # Nobody would know of this container any more; what it started ends with it.
        process.kill()
        raise
    return running


async def _copy_all(
    log: LogWriter, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader
) -> None:
    await asyncio.gather(log.copy(stdout, "stdout"), log.copy(stderr, "stderr"))


async def _first_process(status: int) -> tuple[int, asyncio.ReadTransport]:
    """Read the process id that bubblewrap reports; 0 when it ended before it had one."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(status, "rb")
    )
    try:
        line = await asyncio.wait_for(reader.readline(), START_SECONDS)
    except TimeoutError:
        line = b""
    return (int(json.loads(line)["child-pid"]) if line else 0), transport


async def _until_started(running: Running, sandbox: Sandbox) -> None:
    """Wait until the command itself runs; one that cannot be run is told apart by its log."""
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while running.pid and not has_started(running.pid) and not running.has_ended:
        if asyncio.get_running_loop().time() > deadline:
            running.process.kill()
            break
        await asyncio.sleep(LOOK_SECONDS)
    if running.pid and not running.has_ended:
        return
    code = await running.wait()
    said = running._log.path.read_text(errors="replace")
    complaint = next((line for line in said.splitlines() if " bwrap: " in line), "")
    if code and complaint:
        raise CannotStart(
            "RunContainerError",
            f"cannot run {sandbox.command[0]!r}: {complaint.partition(' bwrap: ')[2]}",
        )
