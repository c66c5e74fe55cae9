"""Reading ZooKeeper's serialization, called jute: big-endian numbers, and lengths before the rest.

What is read comes from `take`, which returns the next bytes or raises `Damaged` if there are none.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from functions.persistence.damage import Damaged

_BOOL = struct.Struct(">?")
_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")
_ABSENT = -1


class Acl(NamedTuple):
    """Who may do what: permissions as bits (read 1, write 2, create 4, delete 8, admin 16)."""

    perms: int
    scheme: str
    id: str


class Archive:
    """Values one after another, as `BinaryInputArchive` reads them."""

    def __init__(self, take: Callable[[int], bytes]) -> None:
        self._take = take

    def flag(self) -> bool:
        return bool(_BOOL.unpack(self._take(1))[0])

    def number(self) -> int:
        return int(_INT.unpack(self._take(4))[0])

    def long(self) -> int:
        return int(_LONG.unpack(self._take(8))[0])

    def buffer(self) -> bytes | None:
        length = self.number()
        if length == _ABSENT:
            return None
        if length < 0:
            raise Damaged(f"a length of {length}")
        return self._take(length)

    def text(self) -> str:
        return text_of(self.buffer() or b"")

    def acls(self) -> tuple[Acl, ...]:
        return tuple(Acl(self.number(), self.text(), self.text()) for _ in range(self.count()))

    def texts(self) -> tuple[str, ...]:
        return tuple(self.text() for _ in range(self.count()))

    def count(self) -> int:
        """Return how many elements follow; a list that is absent has none."""
        return max(0, self.number())


class HeldArchive(Archive):
    """An archive over bytes that are held as a whole."""

    def __init__(self, content: bytes) -> None:
        super().__init__(self._next)
        self._content = content
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self._content) - self._at

    def peek(self) -> int:
        """Return the number that is read next."""
        return int(_INT.unpack_from(self._content, self._at)[0])

    def _next(self, length: int) -> bytes:
        if length > self.left:
            raise Damaged(f"{length} bytes should follow, {self.left} do")
        self._at += length
        return self._content[self._at - length : self._at]


def text_of(content: bytes) -> str:
    """Return text as Java writes it: a character beyond 16 bits is written as two halves."""
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as failure:
        raise Damaged(f"{content[:40]!r} is no text") from failure
