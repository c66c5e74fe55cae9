"""Keeping a server's two volumes together: its data and, where it has one, its transaction log.

Both carry the same token. When one was lost, the other is no disk to vote with: snapshots without
their log lack acknowledged writes, and ZooKeeper does not start from a log without snapshots. So
what is left is put aside, the disk counts as empty, and the leader fills it.
"""

from __future__ import annotations

import logging
import uuid
from pathlib import Path

from functions.pods.disk import Folders, write_file

log = logging.getLogger("prepare")

_TOKEN = "volumes"


def keep_together(folders: Folders) -> None:
    """Put aside what has lost its other half, and mark the two volumes as one disk."""
    if folders.data == folders.log:
        return
    if _is_half(folders):
        put_aside(folders, "a volume of this server was lost")
    token = _token(folders.log) or uuid.uuid4().hex
    if _token(folders.data) != token:
        # The log's first: data with a token always had a log with the same.
        write_file(folders.log / _TOKEN, token)
        write_file(folders.data / _TOKEN, token)


def _is_half(folders: Folders) -> bool:
    data, logged = _token(folders.data), _token(folders.log)
    has_snapshots = any(folders.snapshots.glob("snapshot.*"))
    has_logs = any(folders.logs.glob("log.*"))
    if data:
        return data != logged and (has_snapshots or has_logs)
    return has_logs and not has_snapshots


def _token(folder: Path) -> str:
    file = folder / _TOKEN
    return file.read_text() if file.is_file() else ""


def put_aside(folders: Folders, why: str) -> None:
    """Make the disk empty without deleting anything: no server starts from what it held."""
    for files in dict.fromkeys((folders.snapshots, folders.logs)):
        if files.is_dir():
            aside = files.with_name(f"{files.name}.aside-{uuid.uuid4().hex[:8]}")
            files.rename(aside)
            log.warning("%s: what was there is in %s", why, aside)
