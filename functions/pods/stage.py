"""Stage a backup: `python -m functions.pods.stage`, in a Job's pod that has a server's volumes.

It brings the backup to the volumes of one server, beside the server's own data, which goes on
serving, and proves there what was written. Nothing starts from it before it is armed.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from functions.adapters.stores.connect import connect
from functions.adapters.stores.port import ObjectStore
from functions.api.errors import FunctionError
from functions.backups.fetching import Wanted, bytes_by_device, fetch, sync_file
from functions.backups.keys import backup_key
from functions.backups.manifest import MANIFEST, UNFINISHED, is_backup_file, is_kind
from functions.backups.proof import prove
from functions.backups.proven import Proof
from functions.backups.sources import FolderSource, PrefixSource
from functions.persistence.file_names import LOG
from functions.planning.restoring import Swap
from functions.pods.disk import write_file
from functions.pods.outcome import Failed, leave, run
from functions.pods.progress import Progress, served
from functions.pods.restore_folder import RestoreFolder, restore_folders, swap_of, sync_folder

log = logging.getLogger("stage")

# The server beside goes on writing: its next log takes that much ahead (`preAllocSize`).
LEFT_FREE = 64 << 20
_MEGABYTE = 1_000_000


class NoSpace(Failed):
    """The volume has no room for the backup beside the server's own data."""


class NotStaged(FunctionError):
    """What lies on the volumes is not what was staged there."""

    is_final: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Staging:
    """What is staged for one server, and where."""

    key: str
    epoch: int
    restores: tuple[RestoreFolder, ...]  # The data volume's first, the log volume's last.
    free: Callable[[Path], int]

    @property
    def folders(self) -> tuple[Path, ...]:
        return tuple(restore.staged for restore in self.restores)

    def folder_of(self, name: str) -> Path:
        """Return where a file goes: logs to the log's volume, all else to the data's."""
        return self.folders[-1] if is_kind(name, LOG) else self.folders[0]


def main() -> None:
    leave(run(_served, os.environ))


def _served() -> dict[str, Any]:
    with served(os.environ) as progress:
        return stage(os.environ, lambda: connect(os.environ), progress)


def free_bytes(folder: Path) -> int:
    """Return how much room is left where a folder lies."""
    return shutil.disk_usage(folder).free


def stage(
    environment: Mapping[str, str],
    store: Callable[[], ObjectStore],
    progress: Progress,
    free: Callable[[Path], int] = free_bytes,
) -> dict[str, Any]:
    """Stage the backup below KEY for the restore RESTORE_UID; return what it holds."""
    data, logs = Path(environment["DATA_DIR"]), Path(environment["DATA_LOG_DIR"])
    uid = environment["RESTORE_UID"]
    staging = Staging(
        backup_key(environment["KEY"]),
        int(environment.get("EPOCH") or 0),
        restore_folders(data, logs, uid),
        free,
    )
    is_in_use = swap_of(data, uid) is not Swap.NONE or staging.restores[0].armed.is_file()
    if is_in_use or is_staged(staging.restores, staging.key):
        log.info("it is staged already, and whole")
        return {**read_staged(staging.restores[0])["result"], "already": True}
    return _stage(staging, store(), progress)


def is_staged(restores: tuple[RestoreFolder, ...], key: str | None = None) -> bool:
    """Say whether everything that was proven is still there, by names and sizes."""
    if not all(restore.staged_record.is_file() for restore in restores):
        return False
    record = read_staged(restores[0])
    found = {
        path.name: path.stat().st_size for restore in restores for path in restore.staged.glob("*")
    }
    return key in (None, record["key"]) and found == record["files"]


def read_staged(restore: RestoreFolder) -> dict[str, Any]:
    """Return what was written when the staging was complete; raises NotStaged."""
    try:
        record: dict[str, Any] = json.loads(restore.staged_record.read_text())
    except (FileNotFoundError, ValueError) as error:
        raise NotStaged(f"{restore.folder} holds no complete backup: stage it again.") from error
    return record


def _stage(staging: Staging, store: ObjectStore, progress: Progress) -> dict[str, Any]:
    for restore in staging.restores:
        restore.staged_record.unlink(missing_ok=True)
        shutil.rmtree(restore.staged, ignore_errors=True)
        restore.staged.mkdir(parents=True)
    wanted = _wanted(staging, store)
    _check_space(staging, wanted)
    progress.begin("downloading", sum(each.size for each in wanted))
    try:
        fetch(store, wanted, progress.add)
        proof = prove(
            _Staged(staging),
            tell=lambda done, total: progress.tell(done, total, "verifying"),
        )
        _keep_only(staging, proof)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NoSpace(
            f"{error.filename or staging.folders[0]}: the volume became full while the backup was "
            "written: make room, or make the volume larger."
        ) from error
    return _complete(staging, proof)


class _Staged(FolderSource):
    """The staged files under the names they have in the store: those a person knows."""

    def __init__(self, staging: Staging) -> None:
        super().__init__(*dict.fromkeys(staging.folders))
        self._key = staging.key

    @property
    def name(self) -> str:
        return f"{self._key}/"


def _wanted(staging: Staging, store: ObjectStore) -> list[Wanted]:
    sizes = PrefixSource(store, staging.key).sizes()
    names = {MANIFEST, UNFINISHED} & sizes.keys()
    if names != {UNFINISHED}:  # Of a run that never finished, the mark alone is enough to say so.
        names |= {name for name in sizes if is_backup_file(name)}
    return [
        Wanted(f"{staging.key}/{name}", sizes[name], staging.folder_of(name) / name)
        for name in sorted(names)
    ]


def _check_space(staging: Staging, wanted: list[Wanted]) -> None:
    sizes = {folder: 0 for folder in staging.folders}
    for each in wanted:
        sizes[each.file.parent] += each.size
    for folder, size in bytes_by_device(sizes).values():
        free = staging.free(folder)
        missing = size + LEFT_FREE - free
        if missing > 0:
            volume = folder.parent.parent.parent
            raise NoSpace(
                f"{volume} has {free / _MEGABYTE:.1f} MB free. The backup takes "
                f"{size / _MEGABYTE:.1f} MB beside the server's own data, and the server needs "
                f"{LEFT_FREE / _MEGABYTE:.0f} MB to go on: {missing / _MEGABYTE:.1f} MB are "
                "missing. Make the volume larger."
            )


def _keep_only(staging: Staging, proof: Proof) -> None:
    """Leave exactly the state that was proven: no file more, no byte behind a log's end."""
    kept = {file.name: file.size for file in proof.files}
    for folder in dict.fromkeys(staging.folders):
        for path in folder.iterdir():
            if path.name not in kept:
                path.unlink()
            elif path.stat().st_size > kept[path.name]:
                os.truncate(path, kept[path.name])
                sync_file(path)
        sync_folder(folder)


def _nodes(proof: Proof) -> int | None:
    """How many nodes a server counted at the backup's end; None where none was asked.

    The snapshot's own number says nothing of what the log brings: a restore that expected no more
    would take the backup's own nodes for somebody else's.
    """
    manifest = proof.manifest
    return manifest.nodes if manifest is not None and manifest.quorum else None


def _complete(staging: Staging, proof: Proof) -> dict[str, Any]:
    """Write the records last, the data volume's at the very end: with them it counts."""
    result = {
        "zxid": f"{proof.zxid:#x}",
        "nodes": _nodes(proof),
        "epoch": proof.epoch,
        "size": proof.size,
        "warnings": list(proof.warnings),
    }
    record = {
        "key": staging.key,
        "epoch": max(proof.epoch, staging.epoch),
        "files": {file.name: file.size for file in proof.files},
        "result": result,
    }
    for restore in reversed(staging.restores):
        write_file(restore.staged_record, json.dumps(record))
        for folder in (restore.folder, restore.folder.parent, restore.folder.parent.parent):
            sync_folder(folder)
    return result


if __name__ == "__main__":
    main()
