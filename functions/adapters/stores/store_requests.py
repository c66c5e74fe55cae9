"""What is asked of either library: one request each, tried once, with our errors for theirs.

`bucket.py` makes the port of it. So how often to try, how to go on after a cut and what to check
is written once, and an adapter is only the words of its library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from functions.adapters.stores.place import Place
from functions.adapters.stores.port import AbandonedUpload, Content, StoredObject

Entry = TypeVar("Entry")
# Where a listing goes on, in the store's own words; empty at its beginning.
Marker = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page(Generic[Entry]):
    """A part of a listing; `following` is empty for the last one."""

    entries: Sequence[Entry]
    following: Marker


class Body(Protocol):
    """The bytes of one answer."""

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """One answer: the bytes of an object of `size` from byte `start` on. `tag` tells versions."""

    body: Body
    start: int
    size: int
    tag: str


class Requests(Protocol):
    """One bucket of a store; threads may use it at the same time."""

    @property
    def place(self) -> Place: ...

    @property
    def deletes_at_once(self) -> int:
        """How many objects one request may delete."""
        ...

    def create_bucket(self) -> None: ...

    def put(self, key: str, data: bytes) -> None: ...

    def open(self, key: str, start: int) -> Opened:
        """Open an object. Where it has no byte `start`, S3 refuses and OSS sends all of it."""
        ...

    def head(self, key: str) -> int:
        """Return an object's size. The error's reason may be missing: HEAD has no body for it."""
        ...

    def delete(self, keys: Sequence[str]) -> None: ...

    def objects(self, prefix: str, marker: Marker) -> Page[StoredObject]: ...

    def begin(self, key: str) -> str:
        """Begin a multipart upload and return its id."""
        ...

    def part(self, key: str, id: str, number: int, data: Content) -> str:
        """Send one part and return its tag."""
        ...

    def complete(self, key: str, id: str, tags: Mapping[int, str]) -> None: ...

    def abort(self, key: str, id: str) -> None: ...

    def uploads(self, prefix: str, marker: Marker) -> Page[AbandonedUpload]:
        """Return uploads under way; `changed` is when they began."""
        ...

    def parts(self, key: str, id: str, marker: Marker) -> Page[datetime]:
        """Return when the parts of an upload came."""
        ...
