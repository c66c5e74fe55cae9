"""Volumes that are full, and volumes whose data is gone."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from local.faults.errors import CannotFault

FILLER = ".filled-on-purpose"
CHUNK = bytes(2**20)


def fill(folder: Path) -> None:
    """Take every free block; raises CannotFault for a folder that shares this machine's disk."""
    if not os.path.ismount(folder):
        raise CannotFault(
            f"{folder.name} is a folder on this machine's disk, which is not filled for a test: "
            "use a claim of storage class `sized`, whose volumes have the size they say."
        )
    # Asked for the free space first, a server that writes meanwhile would make the answer wrong.
    with (folder / FILLER).open("ab", buffering=0) as filler:
        try:
            while filler.write(CHUNK):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


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
