"""What a backup needs of an object store, and no more than S3 and OSS both do alike.

Nothing here relies on metadata, tags or conditional writes: the servers that call themselves
S3-compatible disagree on those. Every method raises a `StoreError` (`errors.py`), after the
adapter has tried again where that may help.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

# What is sent; a view is of a buffer that is used for something else afterwards.
Content = bytes | memoryview
# S3 refuses a smaller part unless it is the last one; OSS takes 100 KiB already.
MIN_PART_BYTES = 5 << 20
# Both stores number the parts of an object from 1 to this.
MAX_PARTS = 10_000
# OSS takes one byte less than S3.
MAX_KEY_BYTES = 1023


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One entry of a listing; `modified` is the store's own time, with its zone."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class AbandonedUpload:
    """A multipart upload that was neither completed nor aborted: its parts cost space.

    `changed` is when its newest part came, or when it began if it has none.
    """

    key: str
    id: str
    changed: datetime


class Reading(AbstractContextManager["Reading"], Protocol):
    """An object read from some byte to its end; a cut connection is continued where it was cut."""

    @property
    def size(self) -> int:
        """The size of the whole object."""
        ...

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none means that the object was read to its very end."""
        ...

    def close(self) -> None: ...


class Upload(Protocol):
    """An object written in parts. It is not there, not even in part, before `complete`."""

    def part(self, number: int, data: Content) -> None:
        """Send part `number`, from 1 on; threads may send different parts at the same time.

        All parts but the last have the same size, `MIN_PART_BYTES` or more.
        """
        ...

    def complete(self) -> None:
        """Make the object of all parts in the order of their numbers, and check its size."""
        ...

    def abort(self) -> None:
        """Throw the parts away; does nothing when the upload is gone already."""
        ...


class ObjectStore(Protocol):
    """One bucket. Threads may use it at the same time."""

    @property
    def name(self) -> str:
        """The bucket and where it is, for a person: no credentials in it."""
        ...

    def create_bucket(self) -> None:
        """Make the bucket if there is none."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write a whole object, over an older one of that key."""
        ...

    def upload(self, key: str) -> Upload:
        """Begin an object that is written in parts."""
        ...

    def read(self, key: str, start: int = 0) -> Reading:
        """Open an object from byte `start` on; raises NoSuchObject. At its end there is nothing."""
        ...

    def size(self, key: str) -> int:
        """Return the size of an object; raises NoSuchObject."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield all objects whose keys start with `prefix`, in the order of their keys' bytes."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one that is not there is deleted already."""
        ...

    def abandoned_uploads(self, prefix: str, before: datetime) -> Iterator[AbandonedUpload]:
        """Yield the multipart uploads under `prefix` that nobody added to since `before`."""
        ...

    def abort(self, upload: AbandonedUpload) -> None:
        """Throw an upload's parts away; does nothing when it is gone already."""
        ...
