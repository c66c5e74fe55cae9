"""Running a command of the machine from a part that must not wait for it: `ip`, `nft`, `mount`."""

from __future__ import annotations

import asyncio

COMMAND_SECONDS = 20.0


class CommandFailed(Exception):
    """A command refused, or did not end; the message is what it said."""


async def run(*command: str, given: str = "") -> None:
    """Run a command with `given` as its input; raises CommandFailed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(given.encode()), COMMAND_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise CommandFailed(f"{' '.join(command)} did not end in {COMMAND_SECONDS:.0f} s") from None
    if process.returncode:
        raise CommandFailed(f"{' '.join(command)}: {said.decode(errors='replace').strip()}")
