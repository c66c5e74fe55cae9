"""How a transaction log ends: whole, allocated ahead, with a cut record, or damaged.

ZooKeeper itself tells these apart only in part. It goes on silently with the next file where a
record lacks its end byte or its length is zero, so damage of these bytes loses what follows; it
refuses to start where a record is complete and its checksum is wrong. So what follows is read too:
transactions behind a record that cannot be read mean damage, nothing behind it means that a write
was cut, and a record that was never complete was never acknowledged.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

MAGIC = b"ZKLG"
VERSION = 2
HEADER_BYTES = 16
FRAME = struct.Struct(">qi")
RECORD_END = ord("B")
SMALLEST = 32  # A transaction holds at least its own header.
_HEADER_START = MAGIC + struct.pack(">i", VERSION)
# A checksum of 4 bytes is written as 8, so every record but the first follows these.
_BETWEEN = re.compile(rb"B\x00\x00\x00\x00")


class Ending(StrEnum):
    """Why no further transaction could be read."""

    WHOLE = "the file ends behind a complete record"
    ALLOCATED = "only zeros follow, allocated ahead"
    CUT = "the last record is not complete, and nothing follows it"
    DAMAGED = "a record cannot be read although it was written, or more follows it"


@dataclass(frozen=True, slots=True)
class LogEnd:
    """How a log ends; the bytes before `offset` are its header and its complete transactions."""

    ending: Ending
    offset: int

    @property
    def is_sound(self) -> bool:
        """Say that nothing which was written is missing."""
        return self.ending in (Ending.WHOLE, Ending.ALLOCATED)


def is_log_header(start: bytes) -> bool:
    return len(start) == HEADER_BYTES and start.startswith(_HEADER_START)


def log_end(file: BinaryIO, offset: int, block: int) -> LogEnd:
    """Say what follows the complete record that ends at `offset`."""
    file.seek(offset)
    if not offset:
        return LogEnd(_no_header(file.read(HEADER_BYTES)), 0)
    start = file.read(FRAME.size)
    if not start:
        return LogEnd(Ending.WHOLE, offset)
    if not any(start):
        return LogEnd(Ending.ALLOCATED if _only_zeros(file, block) else Ending.DAMAGED, offset)
    is_cut = _is_cut(file, offset, start, block)
    return LogEnd(Ending.CUT if is_cut else Ending.DAMAGED, offset)


def stream_end(file: BinaryIO, unread: bytes, offset: int, block: int) -> LogEnd:
    """Say what follows in a stream that cannot be sought: a cut record counts as damage there."""
    if not offset:
        return LogEnd(_no_header(unread), 0)
    if not unread and not (unread := file.read(block)):
        return LogEnd(Ending.WHOLE, offset)
    is_allocated = not unread.strip(b"\0") and _only_zeros(file, block)
    return LogEnd(Ending.ALLOCATED if is_allocated else Ending.DAMAGED, offset)


def _no_header(start: bytes) -> Ending:
    """Say what a file is whose first bytes are no log's header: one that was begun, or no log."""
    is_begun = len(start) < HEADER_BYTES and _HEADER_START.startswith(start[: len(_HEADER_START)])
    return Ending.CUT if is_begun else Ending.DAMAGED


def _is_cut(file: BinaryIO, offset: int, start: bytes, block: int) -> bool:
    """Say whether the record that begins at `offset` is the last thing that was written."""
    if len(start) < FRAME.size:
        return True
    _, length = FRAME.unpack(start)
    if length < SMALLEST:
        # The length itself may have been cut: its first bytes, then zeros.
        return length >= 0 and _only_zeros(file, block)
    file.seek(offset + FRAME.size + length)
    end_byte = file.read(1)
    if end_byte not in (b"", b"\0") or not _only_zeros(file, block):
        return False
    return not any(_is_record(file, at, block) for at in _starts(file, offset + 1, block))


def _starts(file: BinaryIO, offset: int, block: int) -> Iterator[int]:
    """Yield the places behind `offset` where a record may begin."""
    overlap = b""
    file.seek(offset)
    while data := file.read(block):
        data, base = overlap + data, offset - len(overlap)
        offset = base + len(data)
        for found in _BETWEEN.finditer(data):
            yield base + found.start() + 1
        overlap = data[-4:]
        file.seek(offset)


def _is_record(file: BinaryIO, offset: int, block: int) -> bool:
    file.seek(offset)
    start = file.read(FRAME.size)
    if len(start) < FRAME.size:
        return False
    checksum, length = FRAME.unpack(start)
    if length < SMALLEST:
        return False
    found = 1
    while length and (data := file.read(min(length, block))):
        found, length = zlib.adler32(data, found), length - len(data)
    return not length and found == checksum and file.read(1) == bytes([RECORD_END])


def _only_zeros(file: BinaryIO, block: int) -> bool:
    zeros = bytes(block)
    while data := file.read(block):
        if data != zeros[: len(data)]:
            return False
    return True
