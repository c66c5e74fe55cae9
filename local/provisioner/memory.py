"""Volumes of a size that holds: memory file systems, mounted inside the platform only."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

COMMAND_SECONDS = 10.0


async def give(folder: Path, size: int) -> None:
    """Put a file system of `size` bytes there, unless an earlier life of this program did."""
    if not os.path.ismount(folder):
        await _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0777", "volume", str(folder))


async def grow(folder: Path, size: int) -> None:
    """Give the file system there more room, also under those who use it."""
    await _run("mount", "-o", f"remount,size={size}", str(folder))


async def take_back(folder: Path) -> None:
    """Take it away, also from under a process that has yet to end."""
    if os.path.ismount(folder):
        await _run("umount", "--lazy", str(folder))


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
    if process.returncode:
        raise OSError(f"`{' '.join(command)}` failed: {said.decode(errors='replace').strip()}")
