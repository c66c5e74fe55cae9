"""Objects on their way into a store: what arrives is what was written, in bounded memory."""

from __future__ import annotations

import hashlib
import random
import threading
import tracemalloc

import pytest

from functions.adapters.memory import MemoryObjectStore
from functions.adapters.memory.object_store import MemoryUpload
from functions.adapters.stores.errors import StoreFull
from functions.adapters.stores.port import Content
from functions.backups.parts import THREADS, Outbox

PREFIX = "default/nightly/once/pod/"
PART = 64
SECONDS = 10.0


def contents(store: MemoryObjectStore) -> dict[str, bytes]:
    return {key.removeprefix(PREFIX): found.data for key, found in store.objects.items()}


@pytest.mark.parametrize("piece", [1, 7, PART - 1, PART, PART + 1, 5 * PART, 1000])
@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART, 1000])
def test_what_arrives_is_what_was_written(size: int, piece: int) -> None:
    store = MemoryObjectStore(min_part=1)
    outbox = Outbox(store, PREFIX, part_bytes=PART)
    data = random.Random(size).randbytes(size)
    writer = outbox.object("log.1", 1)
    for start in range(0, size, piece):
        writer.write(memoryview(data)[start : start + piece])
    file = writer.finish()
    outbox.wait()
    outbox.close()
    assert contents(store) == {"log.1": data}
    assert (file.name, file.size) == ("log.1", size)
    assert file.sha256 == hashlib.sha256(data).hexdigest()


def test_a_buffer_is_used_again_only_once_its_part_is_there() -> None:
    """Parts that the store takes late and in another order are still those that were written."""
    late = threading.Event()

    class Late(MemoryObjectStore):
        def upload(self, key: str) -> MemoryUpload:
            begun = super().upload(key)
            return LateUpload(begun._store, begun.key, begun.id)

    class LateUpload(MemoryUpload):
        def part(self, number: int, data: Content) -> None:
            if number == 1:
                assert late.wait(SECONDS)
            elif number == THREADS:
                late.set()
            super().part(number, data)

    store = Late(min_part=1)
    outbox = Outbox(store, PREFIX, part_bytes=PART)
    data = random.Random(0).randbytes(10 * PART)
    writer = outbox.object("log.1", 1)
    writer.write(data)
    writer.finish()
    outbox.wait()
    outbox.close()
    assert contents(store) == {"log.1": data}


def test_what_was_written_and_not_sent_can_be_dropped() -> None:
    store = MemoryObjectStore(min_part=1)
    outbox = Outbox(store, PREFIX, part_bytes=PART)
    for size in (PART, 5 * PART):
        writer = outbox.object("log.1", 1)
        writer.write(bytes(size))
        writer.drop()
    outbox.wait()
    outbox.close()
    assert (store.objects, store.uploads) == ({}, {})


def test_a_store_that_fails_stops_the_writing() -> None:
    outbox = Outbox(MemoryObjectStore(min_part=1, capacity=10 * PART), PREFIX, part_bytes=PART)
    writer = outbox.object("log.1", 1)
    with pytest.raises(StoreFull):
        writer.write(bytes(100 * PART))
    outbox.discard()
    outbox.close()


class Sink(MemoryObjectStore):
    """A store that keeps nothing."""

    def upload(self, key: str) -> MemoryUpload:
        begun = super().upload(key)
        return SinkUpload(begun._store, begun.key, begun.id)


class SinkUpload(MemoryUpload):
    def part(self, number: int, data: Content) -> None:
        """Forget it."""

    def complete(self) -> None:
        """Forget it."""


def test_memory_is_that_of_the_parts_under_way_however_large_an_object_is() -> None:
    part = 1 << 18
    # One for each thread, one that waits for it, one being filled, and what is written.
    assert _peak(60 * part, part) < (THREADS + 2.7) * part


def _peak(size: int, part: int) -> int:
    piece = bytes(part // 2)
    tracemalloc.start()
    try:
        outbox = Outbox(Sink(), PREFIX, part_bytes=part)
        writer = outbox.object("log.1", size)
        for _ in range(0, size, len(piece)):
            writer.write(piece)
        writer.finish()
        outbox.wait()
        outbox.close()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
