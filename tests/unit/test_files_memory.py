"""However large a file is, reading it takes the memory of a few blocks."""

from __future__ import annotations

import io
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from itertools import chain

import pytest

from functions.persistence.block_reader import BLOCK
from functions.persistence.log_summary import summarize
from functions.persistence.snapshot import Snapshot
from functions.persistence.snapshot_summary import summarize_snapshot
from functions.persistence.txn_log import TxnLog
from tests.unit.zookeeper_files import (
    LOG_HEADER,
    SNAPSHOT_HEADER,
    long,
    node,
    number,
    record,
    text,
)

CONTENT = bytes(range(256)) * 80
MEGABYTE = 1 << 20


class Made(io.RawIOBase):
    """A file that is made while it is read."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._ready = b""

    def read(self, size: int = -1, /) -> bytes:
        ready = [self._ready]
        length = len(self._ready)
        while length < size and (part := next(self._parts, b"")):
            ready.append(part)
            length += len(part)
        whole = b"".join(ready)
        self._ready = whole[size:]
        return whole[:size]


def log_parts(size: int) -> Iterator[bytes]:
    yield LOG_HEADER
    for zxid in range(1, size // len(CONTENT)):
        yield record(zxid, CONTENT)
    yield from (bytes(BLOCK) for _ in range(8))


def snapshot_parts(size: int) -> Iterator[bytes]:
    checksum = 1
    nodes = (node(f"/{n:08}", CONTENT) for n in range(size // len(CONTENT)))
    for part in chain([SNAPSHOT_HEADER, number(0), number(0), node("")], nodes, [text("/")]):
        checksum = zlib.adler32(part, checksum)
        yield part
    yield long(checksum) + text("/")


def read_log(size: int) -> None:
    found = summarize(TxnLog(Made(log_parts(size))))  # type: ignore[arg-type]
    assert found.end is not None
    assert found.end.is_sound
    assert found.size > 0.9 * size


def read_snapshot(size: int) -> None:
    found = summarize_snapshot(Snapshot(Made(snapshot_parts(size))))  # type: ignore[arg-type]
    assert found.nodes > size // len(CONTENT)


def read_log_of_one_large_record(size: int) -> None:
    content = LOG_HEADER + record(1, bytes(size))
    tracemalloc.reset_peak()
    (found,) = TxnLog(io.BytesIO(content))
    assert found.length > size


@pytest.mark.parametrize("read", [read_log, read_snapshot])
def test_memory_is_the_same_for_10_and_for_100_megabytes(read: Callable[[int], None]) -> None:
    small, large = peak_of(read, 10 * MEGABYTE), peak_of(read, 100 * MEGABYTE)
    assert large < small + MEGABYTE
    assert large < 8 * BLOCK


def test_a_large_transaction_is_not_held() -> None:
    size = 50 * MEGABYTE
    held = peak_of(read_log_of_one_large_record, size) - size
    assert held < 8 * BLOCK


def peak_of(read: Callable[[int], None], size: int) -> int:
    tracemalloc.start()
    try:
        read(size)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
