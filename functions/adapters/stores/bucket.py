"""The port over the requests of either library: what both stores need done alike.

That is trying again, going on after a cut connection, following a listing's pages, and checking
that what was written has the size that was sent.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TypeVar

from functions.adapters.stores.errors import (
    NoSuchBucket,
    ObjectChanged,
    PassingError,
    RequestRefused,
    StoreError,
    StoreFailing,
    UploadGone,
)
from functions.adapters.stores.patience import Patience
from functions.adapters.stores.port import AbandonedUpload, Content, Reading, StoredObject
from functions.adapters.stores.reading import Nothing, ResumedReading
from functions.adapters.stores.store_requests import Marker, Opened, Page, Requests

Entry = TypeVar("Entry")


class BucketStore:
    """One bucket."""

    def __init__(self, requests: Requests, patience: Patience) -> None:
        self._requests = requests
        self._patience = patience

    @property
    def name(self) -> str:
        return str(self._requests.place)

    def create_bucket(self) -> None:
        try:
            self._patience.insist(lambda: self._requests.objects("", {}))
        except NoSuchBucket:
            self._patience.insist(self._requests.create_bucket)

    def put(self, key: str, data: bytes) -> None:
        self._patience.insist(lambda: self._requests.put(key, data))

    def upload(self, key: str) -> PartsUpload:
        id = self._patience.insist(lambda: self._requests.begin(key))
        return PartsUpload(self, self._requests, self._patience, key, id)

    def read(self, key: str, start: int = 0) -> Reading:
        name = self._requests.place.object(key)
        try:
            return ResumedReading(name, lambda at: self._open(key, at), start, self._patience)
        except RequestRefused:
            # A store refuses to read from an object's end, or past it: there is no such byte.
            size = self.size(key)
            if start < size:
                raise
            return Nothing(size)

    def size(self, key: str) -> int:
        try:
            return self._patience.insist(lambda: self._requests.head(key))
        except PassingError:
            raise
        except StoreError:
            # The answer to HEAD has no body that says why; the one to GET has.
            self._open(key, 0).body.close()
            raise

    def list(self, prefix: str) -> Iterator[StoredObject]:
        return self._all(lambda marker: self._requests.objects(prefix, marker))

    def delete(self, keys: Iterable[str]) -> None:
        waiting = iter(keys)
        while batch := list(itertools.islice(waiting, self._requests.deletes_at_once)):
            self._patience.insist(partial(self._requests.delete, batch))

    def abandoned_uploads(self, prefix: str, before: datetime) -> Iterator[AbandonedUpload]:
        for upload in self._all(lambda marker: self._requests.uploads(prefix, marker)):
            newest = self._newest(upload)
            if newest is not None and newest < before:
                yield AbandonedUpload(upload.key, upload.id, newest)

    def abort(self, upload: AbandonedUpload) -> None:
        PartsUpload(self, self._requests, self._patience, upload.key, upload.id).abort()

    def _open(self, key: str, start: int) -> Opened:
        return self._patience.insist(lambda: self._requests.open(key, start))

    def _newest(self, upload: AbandonedUpload) -> datetime | None:
        """Return when an upload got its newest part, None if it is gone meanwhile."""
        parts = self._all(lambda marker: self._requests.parts(upload.key, upload.id, marker))
        try:
            return max([upload.changed, *parts])
        except UploadGone:
            return None

    def _all(self, ask: Callable[[Marker], Page[Entry]]) -> Iterator[Entry]:
        """Yield the entries of all pages; each begins where the one before says it ended."""
        marker: Marker = {}
        while True:
            page = self._patience.insist(partial(ask, marker))
            yield from page.entries
            if not page.following:
                return
            if page.following == marker:
                raise StoreFailing(f"{self.name} lists one page again and again: look at it.")
            marker = page.following


class PartsUpload:
    """The parts of one object on their way into a bucket."""

    def __init__(
        self, store: BucketStore, requests: Requests, patience: Patience, key: str, id: str
    ) -> None:
        self._store = store
        self._requests = requests
        self._patience = patience
        self._key = key
        self._id = id
        self._tags: dict[int, str] = {}
        self._sizes: dict[int, int] = {}
        self._lock = threading.Lock()

    def part(self, number: int, data: Content) -> None:
        tag = self._patience.insist(lambda: self._requests.part(self._key, self._id, number, data))
        with self._lock:
            self._tags[number] = tag
            self._sizes[number] = len(data)

    def complete(self) -> None:
        tries = itertools.count(1)
        self._patience.insist(lambda: self._complete(is_first=next(tries) == 1))
        size, wanted = self._store.size(self._key), sum(self._sizes.values())
        if size != wanted:
            name = self._requests.place.object(self._key)
            raise ObjectChanged(f"{name} has {size} bytes where {wanted} were sent: send it again.")

    def _complete(self, *, is_first: bool) -> None:
        try:
            self._requests.complete(self._key, self._id, self._tags)
        except UploadGone:
            # Where only the answer to an earlier try was lost, the upload is gone because it is
            # an object now. Its size tells.
            if is_first:
                raise

    def abort(self) -> None:
        with suppress(UploadGone):
            self._patience.insist(lambda: self._requests.abort(self._key, self._id))
