"""Reading how far a server's files go: its transaction logs, and the names of its snapshots.

A log (ZooKeeper's FileTxnLog) is a header of 16 bytes (`ZKLG`, version, database id), then records:
an Adler32 checksum (8 bytes), a length (4 bytes), that many bytes, and the byte `B`. Files are
allocated ahead with zeros, so a length of zero ends what was written, as does a record that is cut
or damaged. A record begins with its transaction's header: client id (8), cxid (4), zxid (8).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAGIC = b"ZKLG"
HEADER_BYTES = 16
RECORD_END = b"B"
_FRAME = struct.Struct(">qi")
_ZXID = struct.Struct(">q")
_ZXID_OFFSET = 12
_BLOCK = 1 << 16

_LOG = re.compile(r"log\.([0-9a-f]{1,16})")
_SNAPSHOT = re.compile(r"snapshot\.([0-9a-f]{1,16})(\.gz|\.snappy)?")
# A compressed snapshot is known by its first bytes, a plain one by its end: the length and the
# text of the path "/" (SnapStream.isValidSnapshot).
_COMPRESSED = {".gz": b"\x1f\x8b", ".snappy": b"\x82SNAPPY\x00"}
_SNAPSHOT_END = b"\x00\x00\x00\x01/"


def last_zxid(data: Path, log: Path) -> int | None:
    """Return the last transaction that is complete on disk; None when there is none.

    `data` and `log` are the folders that hold `snapshot.*` and `log.*`.
    """
    found = [zxid for zxid in (_newest_snapshot(data), _last_logged(log)) if zxid is not None]
    return max(found, default=None)


def _newest_snapshot(folder: Path) -> int | None:
    """Return the zxid in the name of the newest snapshot that was written to its end."""
    for zxid, path in _newest_first(folder, _SNAPSHOT):
        if _is_complete_snapshot(path):
            return zxid
    return None


def _last_logged(folder: Path) -> int | None:
    """Return the zxid of the last complete record; a new file may hold none yet."""
    for _, path in _newest_first(folder, _LOG):
        if (zxid := _last(path)) is not None:
            return zxid
    return None


def _newest_first(folder: Path, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
    if not folder.is_dir():
        return []
    named = ((pattern.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted(((int(name[1], 16), path) for name, path in named if name), reverse=True)


def _is_complete_snapshot(path: Path) -> bool:
    magic = _COMPRESSED.get(path.suffix)
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
        with path.open("rb", buffering=_BLOCK) as file:
            for zxid in zxids(file):
                last = zxid
    except FileNotFoundError:
        return None  # ZooKeeper has purged it since the folder was listed.
    return last


def zxids(file: BinaryIO) -> Iterator[int]:
    """Yield the zxid of each complete record, in order, holding one block of the file at a time."""
    header = file.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        return
    while (zxid := _next_record(file)) is not None:
        yield zxid


def _next_record(file: BinaryIO) -> int | None:
    frame = file.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        return None
    checksum, length = _FRAME.unpack(frame)
    if length < _ZXID_OFFSET + _ZXID.size:
        return None
    start = file.read(min(length, _BLOCK))
    found = _checksum(file, start, length)
    if found != checksum or file.read(1) != RECORD_END:
        return None
    (zxid,) = _ZXID.unpack_from(start, _ZXID_OFFSET)
    return int(zxid)


def _checksum(file: BinaryIO, start: bytes, length: int) -> int | None:
    """Return the Adler32 of a record whose first bytes are `start`; None when it is cut.

    A damaged length may be of any size, so a record is never held as a whole.
    """
    checksum, left = zlib.adler32(start), length - len(start)
    while left:
        block = file.read(min(left, _BLOCK))
        if not block:
            return None
        checksum, left = zlib.adler32(block, checksum), left - len(block)
    return checksum
