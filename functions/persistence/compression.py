"""What a compressed snapshot holds: servers can write them by gzip or by snappy.

The ending of a file's name tells how (`snapshot.compression.method`).
"""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import BinaryIO

from functions.persistence.block_reader import Readable
from functions.persistence.damage import Damaged
from functions.persistence.file_names import MAGIC

_SNAPPY_HEADER_BYTES = 16
_LARGEST_CHUNK = 1 << 24
_LONG_LITERAL = 60


def plain(file: BinaryIO, compression: str) -> Readable:
    """Return the bytes that `file` holds, compressed by `gz`, `snappy` or (empty) not at all."""
    match compression:
        case "":
            return file
        case "gz":
            return _Gzip(file)
        case "snappy":
            return _Snappy(file)
        case _:
            raise Damaged(f"{compression} is no compression that ZooKeeper writes")


class _Gzip:
    def __init__(self, file: BinaryIO) -> None:
        self._file = gzip.GzipFile(fileobj=file)

    def read(self, size: int, /) -> bytes:
        try:
            return self._file.read(size)
        except (gzip.BadGzipFile, zlib.error, EOFError) as failure:
            raise Damaged(f"what gzip packed cannot be read: {failure}") from failure


class _Snappy:
    """Chunk after chunk, each behind its length, as snappy-java's output stream writes them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        if not file.read(_SNAPPY_HEADER_BYTES).startswith(MAGIC["snappy"]):
            raise Damaged("what snappy packed cannot be read: it does not begin as it should")

    def read(self, _: int, /) -> bytes:
        head = self._file.read(4)
        if not head:
            return b""
        length = int.from_bytes(head, "big")
        chunk = self._file.read(min(length, _LARGEST_CHUNK))
        if len(head) < 4 or len(chunk) < length:
            raise Damaged("what snappy packed is cut")
        try:
            return _unpacked(chunk)
        except (IndexError, ValueError, struct.error) as failure:
            raise Damaged("what snappy packed cannot be read") from failure


def _unpacked(chunk: bytes) -> bytes:
    """Return what one chunk holds: a length, then bytes as they are, or copies of earlier ones."""
    wanted, at = _length(chunk)
    if wanted > _LARGEST_CHUNK:
        # A few bytes can announce, and fill, more than there is memory.
        raise ValueError("more than a server writes at once")
    out = bytearray()
    while at < len(chunk):
        tag = chunk[at]
        at += 1
        if tag & 3:
            at = _copy(chunk, at, tag, out)
        else:
            length, at = _literal_length(chunk, at, tag)
            out += chunk[at : at + length]
            at += length
        if len(out) > wanted:
            raise ValueError("more than was announced")
    if len(out) != wanted:
        raise ValueError("less than was announced")
    return bytes(out)


def _length(chunk: bytes) -> tuple[int, int]:
    """Return the number at the chunk's start, 7 bits to a byte, and where it ends."""
    number = 0
    for at in range(5):
        number |= (chunk[at] & 0x7F) << 7 * at
        if chunk[at] < 0x80:
            return number, at + 1
    raise ValueError("a length without an end")


def _literal_length(chunk: bytes, at: int, tag: int) -> tuple[int, int]:
    short = tag >> 2
    if short < _LONG_LITERAL:
        return short + 1, at
    size = short - _LONG_LITERAL + 1
    return int.from_bytes(chunk[at : at + size], "little") + 1, at + size


def _copy(chunk: bytes, at: int, tag: int, out: bytearray) -> int:
    """Repeat what was unpacked `offset` bytes ago; return where the next element begins."""
    if tag & 3 == 1:
        length, offset, at = 4 + (tag >> 2 & 7), tag >> 5 << 8 | chunk[at], at + 1
    else:
        size = 2 if tag & 3 == 2 else 4
        length, offset = (tag >> 2) + 1, int.from_bytes(chunk[at : at + size], "little")
        at += size
    if not 0 < offset <= len(out):
        raise ValueError("a copy from before the start")
    start = len(out) - offset
    # What is copied may reach into the copy itself: it repeats.
    piece = out[start : start + length]
    out += (piece * (length // len(piece) + 1))[:length]
    return at
