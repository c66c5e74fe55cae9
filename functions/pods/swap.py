"""Putting a backup in place of a server's own data, and taking it back: renames only.

Each step is done or not, and is passed over when it is done already; so a swap that was cut off at
any point ends the same when it is begun again. Steps are generators that yield after each change of
the disk: that is where a crash can come between.

The own member list is kept, for the way back, and the server starts from the same one, of the same
version, but with the client port of the quarantine: nobody gets in until the ensemble was looked at
and every member's port is set back by one change of the list (docs/decisions/0006).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from functions.pods.disk import (
    Folders,
    OwnList,
    own_list,
    remove_marker,
    text_of,
    write_file,
    write_own_list,
)
from functions.pods.restore_folder import (
    RestoreFolder,
    read_history,
    restore_folders,
    sync_folder,
    write_history,
)

log = logging.getLogger("prepare")

EPOCH_FILES = ("acceptedEpoch", "currentEpoch")

_CLIENT_PORT = re.compile(r"^(server\.\d+=[^;\n]*;(?:\S*:)?)\d+[ \t]*$", re.MULTILINE)


def apply_restore(folders: Folders, uid: str, closed_port: str) -> None:
    """Put what was staged in place; where nothing was, leave the server empty, for the leader."""
    for change in apply_steps(folders, uid, closed_port):
        log.info("restore %s: %s", uid, change)


def revert_restore(folders: Folders, uid: str) -> None:
    """Put the server's own data and member list back in place."""
    for change in revert_steps(folders, uid):
        log.info("restore %s: %s", uid, change)


def apply_steps(folders: Folders, uid: str, closed_port: str) -> Iterator[str]:
    """Yield after each change of the disk."""
    restores = restore_folders(folders.data, folders.log, uid)
    data = restores[0]
    yield from _forsake_half(restores)
    yield from _arm(restores)
    if not data.kept.is_file():
        write_file(data.kept, _kept(folders))
        sync_folder(data.folder)
        yield "the own member list is kept"
    yield from _put_own_aside(restores)
    if all(restore.staged_record.is_file() for restore in restores):
        yield from _raise_epochs(data)
        yield from _put_in_place(restores)
    remove_marker(folders)
    yield from _close(folders, _loaded(data), closed_port)
    write_history(folders.data, uid)
    for folder in (folders.config, folders.data):
        if folder.is_dir():
            sync_folder(folder)
    yield "the data is the backup's"
    write_file(data.applied, "")
    sync_folder(data.folder)
    yield "applied"


def revert_steps(folders: Folders, uid: str) -> Iterator[str]:
    """Yield after each change of the disk; the data volume's own files come back last."""
    restores = restore_folders(folders.data, folders.log, uid)
    data = restores[0]
    yield from _forsake_half(restores)
    if data.applied.is_file():
        data.applied.unlink()
        sync_folder(data.folder)
        yield "no longer applied"
    for restore in restores[1:]:
        yield from _bring_back(restore)
    if data.kept.is_file():
        yield from _reopen(folders, _loaded(data))
    remove_marker(folders)
    yield from _bring_back(data)


def _forsake_half(restores: tuple[RestoreFolder, ...]) -> Iterator[str]:
    """Let go of own files whose other half was lost with its volume since the swap began.

    They must not come back: snapshots without their log lack acknowledged writes
    (`functions.pods.volumes`).
    """
    begun = any(restore.old.is_dir() for restore in restores)
    if not begun or all(restore.armed.is_file() for restore in restores):
        return
    for restore in restores:
        for file in sorted(restore.old.glob("*")):
            restore.lost.mkdir(exist_ok=True)
            file.rename(restore.lost / file.name)
            yield f"{file.name} is in {restore.lost}: the other volume was lost"


def _arm(restores: tuple[RestoreFolder, ...]) -> Iterator[str]:
    """See that a volume on which nothing was staged goes back with the others all the same."""
    for restore in restores:
        if not restore.armed.is_file():
            write_file(restore.armed, "not staged\n")
            sync_folder(restore.folder)
            yield "armed, with nothing staged: the leader fills the disk"


def _kept(folders: Folders) -> str:
    own = own_list(folders)
    pending = text_of(folders.pending_list)
    history = read_history(folders.data)
    return json.dumps({"file": own.file, "text": own.text, "pending": pending, "history": history})


def _loaded(data: RestoreFolder) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(data.kept.read_text())
    return kept


def _put_own_aside(restores: tuple[RestoreFolder, ...]) -> Iterator[str]:
    for restore in restores:
        if restore.old.is_dir():
            continue
        if restore.data.is_dir():
            restore.data.rename(restore.old)
        else:
            restore.old.mkdir()
        _sync(restore)
        yield f"the own files are in {restore.old}"


def _raise_epochs(data: RestoreFolder) -> Iterator[str]:
    """Go above every epoch that any client or server of this ensemble has seen.

    The servers' own epochs and the backup's count, and one more: servers are elected by it before
    anything else, so one that is left over with the old data never wins over those restored.
    """
    if not data.staged.is_dir():
        return
    epoch = 1 + max(_epochs(data.old), json.loads(data.staged_record.read_text())["epoch"])
    for name in EPOCH_FILES:
        if text_of(data.staged / name).strip() != str(epoch):
            write_file(data.staged / name, f"{epoch}\n")
            sync_folder(data.staged)
            yield f"{name} is {epoch}"


def _epochs(folder: Path) -> int:
    texts = [text_of(folder / name).strip() for name in EPOCH_FILES]
    return max((int(text) for text in texts if text.lstrip("-").isdigit()), default=0)


def _put_in_place(restores: tuple[RestoreFolder, ...]) -> Iterator[str]:
    for restore in restores:
        if restore.staged.is_dir():
            restore.staged.rename(restore.data)
            _sync(restore)
            yield f"the backup's files are in {restore.data}"


def _close(folders: Folders, kept: dict[str, Any], port: str) -> Iterator[str]:
    """Give every member the port that no client knows.

    A list that waits to be committed has the usual port, and the servers would take it up. Where
    there is no own list, the preparation makes one from the record.
    """
    if folders.pending_list.is_file():
        folders.pending_list.unlink()
        sync_folder(folders.config)
        yield "the list of an unfinished change is put away"
    if kept["text"]:
        closed = _CLIENT_PORT.sub(lambda line: f"{line[1]}{port}", kept["text"])
        write_own_list(folders, OwnList(kept["file"], closed))
        yield f"the member list has the client port {port}"


def _reopen(folders: Folders, kept: dict[str, Any]) -> Iterator[str]:
    if kept["text"]:
        write_own_list(folders, OwnList(kept["file"], kept["text"]))
        yield "the own member list is back"
    if kept["pending"]:
        write_file(folders.pending_list, kept["pending"])
    else:
        folders.pending_list.unlink(missing_ok=True)
    yield "a pending list is as it was"
    write_history(folders.data, kept["history"])
    yield "the data is whose it was"


def _bring_back(restore: RestoreFolder) -> Iterator[str]:
    if not restore.old.is_dir():
        return
    if restore.data.is_dir():
        restore.data.rename(_free(restore))
        _sync(restore)
        yield "the backup's files are out of the way"
    restore.old.rename(restore.data)
    _sync(restore)
    yield f"the own files are back in {restore.data}"


def _free(restore: RestoreFolder) -> Path:
    """Return a name for what is undone; a second way back finds another."""
    names = [restore.undone, *(restore.folder / f"undone-{number}" for number in range(2, 100))]
    return next(name for name in names if not name.exists())


def _sync(restore: RestoreFolder) -> None:
    sync_folder(restore.folder)
    sync_folder(restore.data.parent)
