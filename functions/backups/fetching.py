"""Bringing the objects of a backup to files, several pieces of them at a time.

Each thread holds one block, so the memory needed is the same for a small backup and a large one.
What arrives is proven afterwards, on the disk: only what lies there counts.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from functions.adapters.stores.errors import ObjectChanged
from functions.adapters.stores.port import ObjectStore

THREADS = 4
PIECE_BYTES = 64 << 20
BLOCK = 1 << 20
# How long a thread that waits for a dead store may hold up the end: a pod has 30 s to stop.
END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object, its size as it was listed, and the file it goes to."""

    key: str
    size: int
    file: Path


@dataclass(frozen=True, slots=True)
class _Piece:
    wanted: Wanted
    start: int
    end: int


def fetch(
    store: ObjectStore,
    wanted: list[Wanted],
    came: Callable[[int], None],
    piece_bytes: int = PIECE_BYTES,
) -> None:
    """Write all the objects to their files, synced; `came` is told of the bytes by any thread.

    Raises what went wrong first.
    """
    for each in wanted:
        with each.file.open("wb") as file:
            file.truncate(each.size)
    stopped = threading.Event()
    pool = ThreadPoolExecutor(THREADS)
    tasks = [
        pool.submit(_fetch, store, piece, came, stopped) for piece in _pieces(wanted, piece_bytes)
    ]
    try:
        done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        # Also when this thread is stopped: the others must not go on writing.
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)
        wait([task for task in tasks if not task.cancelled()], END_SECONDS)
    for each in wanted:
        sync_file(each.file)


def _pieces(wanted: list[Wanted], size: int) -> Iterator[_Piece]:
    for each in wanted:
        for start in range(0, each.size, size):
            yield _Piece(each, start, min(start + size, each.size))


def _fetch(
    store: ObjectStore, piece: _Piece, came: Callable[[int], None], stopped: threading.Event
) -> None:
    wanted, at = piece.wanted, piece.start
    with store.read(wanted.key, at) as reading, wanted.file.open("r+b", buffering=0) as file:
        if reading.size != wanted.size:
            raise ObjectChanged(
                f"{wanted.key} in {store.name} has {reading.size} bytes by now, and "
                f"{wanted.size} when it was listed: read it again."
            )
        file.seek(at)
        while at < piece.end and not stopped.is_set():
            block = reading.read(min(BLOCK, piece.end - at))
            if not block:
                raise ObjectChanged(f"{wanted.key} in {store.name} ended early: read it again.")
            file.write(block)
            at += len(block)
            came(len(block))


def sync_file(path: Path) -> None:
    """Make sure that a file's bytes are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def bytes_by_device(sizes: Mapping[Path, int]) -> dict[int, tuple[Path, int]]:
    """Add up what goes to which file system: two folders may lie on the same one."""
    found: dict[int, tuple[Path, int]] = {}
    for folder, size in sizes.items():
        device = folder.stat().st_dev
        first, before = found.get(device, (folder, 0))
        found[device] = (first, before + size)
    return found
