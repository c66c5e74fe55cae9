"""Reading a transaction log: each complete transaction's header, its place and, asked for, itself.

A log (ZooKeeper's FileTxnLog) is a header of 16 bytes (`ZKLG`, version, database id), then records:
an Adler32 checksum (8 bytes), a length (4 bytes), that many bytes, and the byte `B`. Files are
allocated ahead with zeros. Reading stops at the first thing that is no complete record; why it
stopped is `end()`'s to say (`functions.persistence.log_end`).

Every byte counts for something, except the database id in the header: ZooKeeper never looks at it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Generator, Iterator
from typing import BinaryIO, NamedTuple

from functions.persistence.log_end import (
    FRAME,
    HEADER_BYTES,
    RECORD_END,
    SMALLEST,
    LogEnd,
    is_log_header,
    log_end,
    stream_end,
)

BLOCK = 1 << 20
# The transaction's own header: client, cxid, zxid, time, type.
TXN_HEADER = struct.Struct(">qiqqi")
_AROUND = FRAME.size + 1
# What decides about most records: checksum, length and, of the transaction's header, its zxid.
_START = struct.Struct(">qi12xq")


# A complete transaction: zxid, the record's offset and length, and at least its header. A bare
# tuple, because there are millions of them.
Place = tuple[int, int, int, bytes | memoryview]


class Record(NamedTuple):
    """One complete transaction, and where it lies in its file."""

    offset: int
    length: int  # of the transaction, without the checksum, length and end byte around it
    session: int
    cxid: int
    zxid: int
    time: int  # milliseconds since 1970, on the leader's clock
    type: int

    @property
    def end(self) -> int:
        """The offset behind the record: the bytes before it are complete transactions."""
        return self.offset + self.length + _AROUND


class TxnLog:
    """A log being read from its beginning, holding one block of it at a time.

    Iterating again goes on behind the last complete record, for a file may have grown meanwhile.
    With `keep`, `payload` is the whole transaction of the record that was yielded last; without,
    a transaction that is larger than a block is summed and not held. Both, and telling a cut
    record from a damaged one, need a file that can be sought; all else does with a stream.
    """

    def __init__(self, file: BinaryIO, *, block: int = BLOCK, keep: bool = False) -> None:
        self._file = file
        self._block = block
        self._keep = keep
        self._unread = b""  # What follows `offset` and has been read already.
        self.offset = 0
        self.payload: memoryview | None = None

    def __iter__(self) -> Iterator[Record]:
        return map(record_at, self.places())

    def places(self) -> Iterator[Place]:
        """Yield less about each transaction, in half the time."""
        if not self._is_begun():
            return
        while block := self._file.read(self._block):
            is_whole = yield from self._records_in(self._unread + block)
            if not is_whole:
                return
            if self._is_larger_than_a_block():
                large = self._large_record()
                if large is None:
                    return
                yield large

    def end(self) -> LogEnd:
        """Say why the reading stopped at `offset`. A file that is being written may go on there."""
        if self._file.seekable():
            return log_end(self._file, self.offset, self._block)
        return stream_end(self._file, self._unread, self.offset, self._block)

    def _is_begun(self) -> bool:
        if self._file.seekable():
            self._file.seek(self.offset)
            self._unread = b""
        if not self.offset:
            self._unread = self._unread or self._file.read(HEADER_BYTES)
            if not is_log_header(self._unread):
                return False
            self.offset, self._unread = HEADER_BYTES, b""
        return True

    def _records_in(self, data: bytes) -> Generator[Place, None, bool]:
        """Yield the complete records at the start of `data`; return False if a bad one follows.

        This is the loop that decides how fast a log is read.
        """
        at, base, size, view = 0, self.offset, len(data), memoryview(data)
        start, adler32 = _START.unpack_from, zlib.adler32
        is_good = True
        while at + _START.size <= size:
            checksum, length, zxid = start(data, at)
            stop = at + length + _AROUND
            if length < SMALLEST:
                is_good = False
                break
            if stop > size:
                break
            body = view[at + FRAME.size : stop - 1]
            if adler32(body) != checksum or data[stop - 1] != RECORD_END:
                is_good = False
                break
            self.offset, self.payload = base + stop, body
            yield zxid, base + at, length, body
            at = stop
        self._unread = data[at:]
        return is_good

    def _is_larger_than_a_block(self) -> bool:
        if len(self._unread) < FRAME.size + TXN_HEADER.size:
            return False
        _, length = FRAME.unpack_from(self._unread)
        return bool(length + _AROUND > self._block)

    def _large_record(self) -> Place | None:
        """Return the record that `_unread` begins, without holding it; None if it is a bad one."""
        start = self._unread
        checksum, length = FRAME.unpack_from(start)
        found, left = zlib.adler32(start[FRAME.size :]), length - len(start) + FRAME.size
        while left and (block := self._file.read(min(left, self._block))):
            found, left = zlib.adler32(block, found), left - len(block)
        if left or found != checksum or self._file.read(1) != bytes([RECORD_END]):
            return None
        head = start[FRAME.size : FRAME.size + TXN_HEADER.size]
        record = record_at((0, self.offset, length, head))
        self.payload = self._read_again(record) if self._keep else None
        self.offset, self._unread = record.end, b""
        return record.zxid, record.offset, length, head

    def _read_again(self, record: Record) -> memoryview:
        self._file.seek(record.offset + FRAME.size)
        payload = self._file.read(record.length)
        self._file.seek(record.end)
        return memoryview(payload)


def record_at(place: Place) -> Record:
    """Return all that the header of a transaction says."""
    _, offset, length, head = place
    return Record(offset, length, *TXN_HEADER.unpack_from(head))
