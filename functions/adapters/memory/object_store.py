"""The in-memory twin of an object store: one bucket that tests look into, fill, and break.

Several programs may share one, as several Jobs do one bucket. Faults come in three kinds: at the
n-th call (`faults`: each request and each block read counts), always (`refuses`), and a bucket
that takes no more than `capacity` bytes. Damage is done to `objects` itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock
from typing import Self

from functions.adapters.memory.faults import Faults
from functions.adapters.stores.errors import (
    NoSuchBucket,
    NoSuchObject,
    RequestRefused,
    StoreError,
    StoreFull,
    UploadGone,
)
from functions.adapters.stores.port import (
    MAX_KEY_BYTES,
    MAX_PARTS,
    MIN_PART_BYTES,
    AbandonedUpload,
    Content,
    StoredObject,
)

MOST_BYTES_A_READ = 64 << 10


@dataclass(frozen=True, slots=True)
class MemoryObject:
    data: bytes
    modified: datetime


@dataclass(slots=True)
class MemoryParts:
    """A multipart upload that is under way."""

    key: str
    id: str
    changed: datetime
    parts: dict[int, bytes] = field(default_factory=dict)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class MemoryObjectStore:
    """One bucket; `min_part` may be lowered so that a test of parts needs few bytes."""

    bucket: str = "backups"
    clock: Callable[[], datetime] = _now
    faults: Faults = field(default_factory=Faults)
    refuses: StoreError | None = None
    has_bucket: bool = True
    capacity: int | None = None
    min_part: int = MIN_PART_BYTES
    objects: dict[str, MemoryObject] = field(default_factory=dict)
    uploads: dict[str, MemoryParts] = field(default_factory=dict)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lock: RLock = field(default_factory=RLock)

    @property
    def name(self) -> str:
        return f"bucket {self.bucket} in memory"

    def create_bucket(self) -> None:
        with self._lock, self.faults.around():
            if self.refuses is not None:
                raise self.refuses
            self.has_bucket = True

    def put(self, key: str, data: bytes) -> None:
        with self._lock, self.faults.around():
            self._ready(key)
            self._fits(len(data))
            self.objects[key] = MemoryObject(bytes(data), self.clock())

    def upload(self, key: str) -> MemoryUpload:
        with self._lock, self.faults.around():
            self._ready(key)
            begun = MemoryParts(key, f"upload-{next(self._ids)}", self.clock())
            self.uploads[begun.id] = begun
        return MemoryUpload(self, key, begun.id)

    def read(self, key: str, start: int = 0) -> MemoryReading:
        with self._lock, self.faults.around():
            return MemoryReading(self, self._found(key).data, start)

    def size(self, key: str) -> int:
        with self._lock, self.faults.around():
            return len(self._found(key).data)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        with self._lock, self.faults.around():
            self._ready()
            found = sorted(self.objects.items(), key=lambda entry: entry[0].encode())
        for key, stored in found:
            if key.startswith(prefix):
                yield StoredObject(key, len(stored.data), stored.modified)

    def delete(self, keys: Iterable[str]) -> None:
        for key in list(keys):
            with self._lock, self.faults.around():
                self._ready(key)
                self.objects.pop(key, None)

    def abandoned_uploads(self, prefix: str, before: datetime) -> Iterator[AbandonedUpload]:
        with self._lock, self.faults.around():
            self._ready()
            found = sorted(self.uploads.values(), key=lambda upload: upload.key.encode())
        for upload in found:
            if upload.key.startswith(prefix) and upload.changed < before:
                yield AbandonedUpload(upload.key, upload.id, upload.changed)

    def abort(self, upload: AbandonedUpload) -> None:
        MemoryUpload(self, upload.key, upload.id).abort()

    def _ready(self, key: str = "-") -> None:
        if self.refuses is not None:
            raise self.refuses
        if not self.has_bucket:
            raise NoSuchBucket(f"There is no {self.name}: create it, or name another one.")
        if not key or len(key.encode()) > MAX_KEY_BYTES or key[0] in "/\\":
            raise RequestRefused(f"{self.name} takes no object of the key {key!r}.")

    def _found(self, key: str) -> MemoryObject:
        self._ready(key)
        if key not in self.objects:
            raise NoSuchObject(f"There is no object {key} in {self.name}.")
        return self.objects[key]

    def _fits(self, more: int) -> None:
        used = sum(len(stored.data) for stored in self.objects.values())
        used += sum(len(part) for each in self.uploads.values() for part in each.parts.values())
        if self.capacity is not None and used + more > self.capacity:
            raise StoreFull(f"{self.name} is full: make room in it, then try again.")


@dataclass(frozen=True, slots=True)
class MemoryUpload:
    """The parts of one object on their way into a `MemoryObjectStore`."""

    _store: MemoryObjectStore
    key: str
    id: str

    def part(self, number: int, data: Content) -> None:
        store = self._store
        with store._lock, store.faults.around():
            upload = self._under_way()
            if not 1 <= number <= MAX_PARTS:
                raise RequestRefused(f"Part {number} of {upload.key}: not 1 to {MAX_PARTS}.")
            store._fits(len(data))
            upload.parts[number] = bytes(data)
            upload.changed = store.clock()

    def complete(self) -> None:
        store = self._store
        with store._lock, store.faults.around():
            upload = self._under_way()
            parts = [upload.parts[number] for number in sorted(upload.parts)]
            if not parts or any(len(part) < store.min_part for part in parts[:-1]):
                raise RequestRefused(f"{upload.key} has no parts, or one that is too small.")
            store.objects[upload.key] = MemoryObject(b"".join(parts), store.clock())
            del store.uploads[self.id]

    def abort(self) -> None:
        store = self._store
        with store._lock, store.faults.around():
            store._ready()
            store.uploads.pop(self.id, None)

    def _under_way(self) -> MemoryParts:
        self._store._ready()
        if self.id not in self._store.uploads:
            raise UploadGone(f"The upload of {self.key} is gone, somebody aborted it.")
        return self._store.uploads[self.id]


class MemoryReading:
    """One object as it was when it was opened; every block is a call of the store's `faults`."""

    def __init__(self, store: MemoryObjectStore, data: bytes, start: int) -> None:
        self._store = store
        self._data = data
        self._at = start

    @property
    def size(self) -> int:
        return len(self._data)

    def read(self, size: int, /) -> bytes:
        with self._store._lock, self._store.faults.around():
            block = self._data[self._at : self._at + min(size, MOST_BYTES_A_READ)]
            self._at += len(block)
            return block

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
