"""Where a restore keeps its things on a server's volumes, and what they say about it.

On the data volume, and on that of the transaction log where there is one:

    .restore/<uid>/staged/      what becomes the server's data: proven, waiting
    .restore/<uid>/staged.json  all of it is there and was proven (`functions.pods.stage`)
    .restore/<uid>/armed        from now on the API server decides before the server starts
    .restore/<uid>/old/         the server's own data, from the swap on
    .restore/<uid>/undone/      the backup's data, once the swap was taken back
    .restore/<uid>/lost/        own data whose other half went with its volume

On the data volume alone:

    .restore/<uid>/kept.json    the server's own member list, and whose data `restored` named
    .restore/<uid>/applied      the swap is complete
    restored                    the uid of the restore that the data comes from; it stays
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from functions.api.errors import FunctionError
from functions.planning.restoring import Swap, Volume
from functions.pods.disk import Folders, read_disk, text_of, write_file

RESTORES = ".restore"
_HISTORY = "restored"
# A uid becomes the name of a folder that is removed with all that is in it.
_UID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,99}")


class NoUid(FunctionError):
    """What was given as the uid of a restore is none."""

    is_final = True


@dataclass(frozen=True, slots=True)
class RestoreFolder:
    """The folder of one restore on one volume; `data` is the server's folder beside it."""

    folder: Path
    data: Path

    @property
    def staged(self) -> Path:
        return self.folder / "staged"

    @property
    def staged_record(self) -> Path:
        return self.folder / "staged.json"

    @property
    def armed(self) -> Path:
        return self.folder / "armed"

    @property
    def old(self) -> Path:
        return self.folder / "old"

    @property
    def undone(self) -> Path:
        return self.folder / "undone"

    @property
    def lost(self) -> Path:
        return self.folder / "lost"

    @property
    def kept(self) -> Path:
        return self.folder / "kept.json"

    @property
    def applied(self) -> Path:
        return self.folder / "applied"


def restore_folder(volume: Path, uid: str) -> RestoreFolder:
    """Return the folder of a restore on a volume; raises NoUid for what could lead elsewhere."""
    if _UID.fullmatch(uid) is None:
        raise NoUid(f"{uid!r} is no uid of a ZooKeeperRestore: set RESTORE_UID.")
    return RestoreFolder(volume / RESTORES / uid, volume / "version-2")


def restore_folders(data: Path, log: Path, uid: str) -> tuple[RestoreFolder, ...]:
    """Return those on the server's volumes, the data's first; one, if it has only one volume."""
    return tuple(restore_folder(volume, uid) for volume in dict.fromkeys((data, log)))


def read_volume(folders: Folders) -> Volume:
    """Return what the server's volumes say about restores."""
    uid, history = armed_for(folders.data, folders.log), read_history(folders.data)
    return Volume(
        is_empty=read_disk(folders).is_empty,
        armed=uid,
        swap=swap_of(folders.data, uid) if uid else Swap.NONE,
        history=history,
    )


def armed_for(*volumes: Path) -> str:
    """Return the restore that a server's volumes are armed for; one of them is enough.

    Arming for one disarms for others. Should two be left, the one that was begun counts.
    """
    armed = {
        file.parent.name: file.stat().st_mtime
        for volume in dict.fromkeys(volumes)
        for file in volume.glob(f"{RESTORES}/*/armed")
    }
    begun = [uid for uid in armed if swap_of(volumes[0], uid) is Swap.HALF]
    return max(begun or armed, key=lambda uid: armed[uid], default="")


def swap_of(data: Path, uid: str) -> Swap:
    """Return how far the swap is: the data volume's own data goes first, and comes back last."""
    restore = restore_folder(data, uid)
    if restore.old.is_dir() and not restore.applied.is_file():
        return Swap.HALF
    # Without own data to go back to, the clean-up has been here. With a later restore's data in
    # place, this one is over, and its own data is no longer what to go back to.
    return Swap.DONE if read_history(data) == uid else Swap.NONE


def read_history(data: Path) -> str:
    """Return the uid of the restore that the data comes from; empty if it is nobody's."""
    return text_of(data / _HISTORY).strip()


def write_history(data: Path, uid: str) -> None:
    if uid:
        write_file(data / _HISTORY, f"{uid}\n")
    else:
        (data / _HISTORY).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make sure that what was created, renamed or removed in a folder stays so."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
