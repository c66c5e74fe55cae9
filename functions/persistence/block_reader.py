"""A stream read block by block, with the checksum of all that was passed.

`data` from `at` on is at hand; whoever must be quick reads there and moves `at` along.
"""

from __future__ import annotations

import zlib
from typing import Protocol

from functions.persistence.damage import Damaged

BLOCK = 1 << 20
# More than any node: a server takes up to 1 MB, or what `jute.maxbuffer` says instead.
LARGEST = 64 << 20


class Readable(Protocol):
    """A source of bytes: fewer than asked for may come, none means the end."""

    def read(self, size: int, /) -> bytes: ...


class BlockReader:
    """Reads ahead in blocks; memory is a block, or the largest value if one is larger."""

    def __init__(self, file: Readable, block: int = BLOCK, largest: int = LARGEST) -> None:
        self._file = file
        self._block = block
        self._largest = largest
        self._sum = zlib.adler32(b"")
        self.data = b""
        self.at = 0

    def take(self, length: int) -> bytes:
        """Return the next bytes; raises `Damaged` if the file ends before."""
        while len(self.data) - self.at < length:
            self.read_on()
        self.at += length
        return self.data[self.at - length : self.at]

    def read_on(self) -> None:
        """Have one more block at hand; raises `Damaged` if there is none."""
        if len(self.data) - self.at > self._largest:
            raise Damaged(f"a value of more than {self._largest} bytes, or a damaged length")
        if not self._has_more():
            raise Damaged("the file is cut: it ends in the middle of a value")

    def left(self, most: int) -> int:
        """Return how many bytes there are before the end of the file, counting up to `most`."""
        while len(self.data) - self.at < most and self._has_more():
            pass
        return min(most, len(self.data) - self.at)

    def checksum(self) -> int:
        """Return the Adler32 of everything before `at`."""
        self._pass()
        return self._sum

    def _has_more(self) -> bool:
        block = self._file.read(self._block)
        if block:
            self._pass()
            self.data += block
        return bool(block)

    def _pass(self) -> None:
        self._sum = zlib.adler32(memoryview(self.data)[: self.at], self._sum)
        self.data, self.at = self.data[self.at :], 0
