"""How far a server's files go: its transaction logs, and the names of its snapshots."""

from __future__ import annotations

from pathlib import Path

from functions.persistence.file_names import LOG, MAGIC, SNAPSHOT, FileName, parse
from functions.persistence.txn_log import TxnLog

# The agent lives beside a server in little memory.
_BLOCK = 1 << 16
# A compressed snapshot is known by its first bytes, a plain one by its end: the length and the
# text of the path "/" (SnapStream.isValidSnapshot).
_SNAPSHOT_END = b"\x00\x00\x00\x01/"


def last_zxid(data: Path, log: Path) -> int | None:
    """Return the last transaction that is complete on disk; None when there is none.

    `data` and `log` are the folders that hold `snapshot.*` and `log.*`.
    """
    found = [zxid for zxid in (_newest_snapshot(data), _last_logged(log)) if zxid is not None]
    return max(found, default=None)


def _newest_snapshot(folder: Path) -> int | None:
    """Return the zxid in the name of the newest snapshot that was written to its end."""
    for name in _newest_first(folder, SNAPSHOT):
        if _is_complete_snapshot(folder / name.text, name.compression):
            return name.zxid
    return None


def _last_logged(folder: Path) -> int | None:
    """Return the zxid of the last complete record; a new file may hold none yet."""
    for name in _newest_first(folder, LOG):
        if (zxid := _last(folder / name.text)) is not None:
            return zxid
    return None


def _newest_first(folder: Path, kind: str) -> list[FileName]:
    if not folder.is_dir():
        return []
    named = (parse(path.name) for path in folder.iterdir())
    of_kind = [name for name in named if name is not None and name.kind == kind]
    return sorted(of_kind, key=lambda name: name.zxid, reverse=True)


def _is_complete_snapshot(path: Path, compression: str) -> bool:
    magic = MAGIC.get(compression)
    try:
        with path.open("rb") as file:
            if magic is not None:
                return file.read(len(magic)) == magic
            size = path.stat().st_size
            file.seek(max(0, size - len(_SNAPSHOT_END)))
            return file.read() == _SNAPSHOT_END
    except FileNotFoundError:
        return False  # ZooKeeper has purged it since the folder was listed.


def _last(path: Path) -> int | None:
    last = None
    try:
        with path.open("rb", buffering=0) as file:
            for record in TxnLog(file, block=_BLOCK):
                last = record.zxid
    except FileNotFoundError:
        return None  # ZooKeeper has purged it since the folder was listed.
    return last
