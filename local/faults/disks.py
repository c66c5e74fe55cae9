"""Volumes that are full, and volumes whose data is gone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from local.faults.errors import CannotFault

FILLER = ".filled-on-purpose"


def fill(folder: Path) -> None:
    """Take every free block; raises CannotFault for a folder that shares this machine's disk."""
    if not os.path.ismount(folder):
        raise CannotFault(
            f"{folder.name} is a folder on this machine's disk, which is not filled for a test: "
            "use a claim of storage class `sized`, whose volumes have the size they say."
        )
    descriptor = os.open(folder / FILLER, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while left := os.statvfs(folder).f_bavail:
            size = left * os.statvfs(folder).f_frsize
            os.posix_fallocate(descriptor, os.fstat(descriptor).st_size, size)
    finally:
        os.close(descriptor)


def free(folder: Path) -> None:
    (folder / FILLER).unlink(missing_ok=True)


def is_full(folder: Path) -> bool:
    return (folder / FILLER).exists()


def empty(folder: Path) -> None:
    """Remove everything in it; the folder itself stays, because it is mounted."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
