"""Writing the objects of a backup while their bytes come: summed, cut into parts, sent in parallel.

A bounded number of parts is on its way at a time, and their buffers are used again and again, so
the memory needed is the same for a small backup and a large one: whoever writes waits while the
store is slower than the disk.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from functions.adapters.stores.errors import StoreError
from functions.adapters.stores.port import Content, ObjectStore, Upload
from functions.backups.manifest import BackupFile

PART_BYTES = 8 << 20
THREADS = 4
# Fewer than a store takes, because a log may grow while it is copied.
MOST_PARTS = 9000
# How long what is under way may hold up the removal of it all: a pod has 30 s to stop.
END_SECONDS = 10.0


class Writable(Protocol):
    """What takes the bytes of one object in their order, and keeps none of `data` itself."""

    def write(self, data: Content) -> None: ...


class Outbox:
    """Sends the objects of one backup; nothing of them is left after `discard`."""

    def __init__(
        self,
        store: ObjectStore,
        prefix: str,
        sent: Callable[[int], None] = lambda _: None,
        *,
        threads: int = THREADS,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._sent = sent
        self._part_bytes = part_bytes
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="part")
        # One more than threads, so that none waits for the next part to be summed.
        self._free = threading.BoundedSemaphore(threads + 1)
        self._tasks: list[Future[None]] = []
        self._uploads: list[Upload] = []
        self._keys: list[str] = []
        self._buffers: list[memoryview] = []  # Of `part_bytes` each; those that are not in use.

    def object(self, name: str, expected: int) -> ObjectWriter:
        """Begin an object of about `expected` bytes."""
        return ObjectWriter(self, name, max(self._part_bytes, expected // MOST_PARTS))

    def wait(self) -> None:
        """Return when everything that was written is in the store; raises what went wrong."""
        for task in self._tasks:
            task.result()
        self._tasks.clear()
        self._uploads.clear()

    def discard(self) -> None:
        """Remove everything that was written; raises a StoreError if the store does not let us."""
        self._end(self._tasks)
        self._tasks.clear()
        for upload in self._uploads:
            with suppress(StoreError):
                upload.abort()
        self._uploads.clear()
        self._abort_unknown()
        self._store.delete(self._keys)
        self._keys.clear()

    def _abort_unknown(self) -> None:
        """Abort uploads that the store began without our hearing of it; listing may be denied."""
        with suppress(StoreError):
            later = datetime.now(UTC) + timedelta(days=1)
            for upload in self._store.abandoned_uploads(self._prefix, later):
                self._store.abort(upload)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def put_object(self, name: str, content: bytes) -> None:
        """Send a whole object, in the background."""
        self._keys.append(self._prefix + name)
        self._send(lambda: self._store.put(self._prefix + name, content), len(content))

    def begin(self, name: str) -> Upload:
        upload = self._store.upload(self._prefix + name)
        self._uploads.append(upload)
        self._keys.append(self._prefix + name)
        return upload

    def send_part(self, upload: Upload, number: int, buffer: memoryview, size: int) -> Future[None]:
        """Send the first `size` bytes of a buffer, which is the outbox's from here on."""

        def work() -> None:
            upload.part(number, buffer[:size])
            self.give_back(buffer)

        return self._send(work, size)

    def buffer(self, size: int) -> memoryview:
        """Return a buffer for a part: one that was used before, if there is any."""
        if size == self._part_bytes and self._buffers:
            return self._buffers.pop()
        return memoryview(bytearray(size))

    def give_back(self, buffer: memoryview) -> None:
        if len(buffer) == self._part_bytes:
            self._buffers.append(buffer)

    def complete(self, upload: Upload, parts: list[Future[None]]) -> None:
        """Complete an upload in the background, once its parts are there.

        It waits in the pool for tasks that came before it, which never wait themselves.
        """

        def done() -> None:
            for part in parts:
                part.result()
            upload.complete()

        self._send(done, 0)

    def drop(self, upload: Upload, parts: list[Future[None]]) -> None:
        """Throw an upload away that turned out not to be needed."""
        self._end(parts)
        self._tasks = [task for task in self._tasks if task not in parts]
        upload.abort()

    def _end(self, tasks: list[Future[None]]) -> None:
        """Let none of the tasks begin, and wait for those that run; parts may outlive an abort."""
        for task in tasks:
            task.cancel()
        wait(tasks, END_SECONDS)

    def _send(self, work: Callable[[], None], size: int) -> Future[None]:
        self._raise_failures()
        self._free.acquire()

        def task() -> None:
            try:
                work()
                self._sent(size)
            finally:
                self._free.release()

        future = self._pool.submit(task)
        future.add_done_callback(self._release_cancelled)
        self._tasks.append(future)
        return future

    def _release_cancelled(self, task: Future[None]) -> None:
        if task.cancelled():
            self._free.release()

    def _raise_failures(self) -> None:
        """Stop at the first part that failed; forget those that are there."""
        for task in [task for task in self._tasks if task.done() and not task.cancelled()]:
            task.result()
            self._tasks.remove(task)


class ObjectWriter:
    """One object being written; small ones go in one piece."""

    def __init__(self, outbox: Outbox, name: str, part_bytes: int) -> None:
        self._outbox = outbox
        self._name = name
        self._part_bytes = part_bytes
        self._sum = hashlib.sha256()
        self._size = 0
        self._buffer = outbox.buffer(part_bytes)
        self._held = 0  # So many bytes of the buffer are written and not sent.
        self._upload: Upload | None = None
        self._parts: list[Future[None]] = []

    def write(self, data: Content) -> None:
        self._sum.update(data)
        self._size += len(data)
        left = memoryview(data)
        while left:
            if self._held == self._part_bytes:
                self._send()
                self._buffer = self._outbox.buffer(self._part_bytes)
            fits = min(len(left), self._part_bytes - self._held)
            self._buffer[self._held : self._held + fits] = left[:fits]
            self._held += fits
            left = left[fits:]

    def finish(self) -> BackupFile:
        """Send the rest; the object is there after the outbox's `wait`."""
        if self._upload is None:
            self._outbox.put_object(self._name, bytes(self._buffer[: self._held]))
            self._outbox.give_back(self._buffer)
        else:
            self._send()
            self._outbox.complete(self._upload, self._parts)
        return BackupFile(self._name, self._size, self._sum.hexdigest())

    def drop(self) -> None:
        """Write no such object after all."""
        self._outbox.give_back(self._buffer)
        if self._upload is not None:
            self._outbox.drop(self._upload, self._parts)

    def _send(self) -> None:
        if self._upload is None:
            self._upload = self._outbox.begin(self._name)
        number = len(self._parts) + 1
        self._parts.append(self._outbox.send_part(self._upload, number, self._buffer, self._held))
        self._held = 0
