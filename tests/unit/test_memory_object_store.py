"""The twin of an object store goes wrong where a test asks for it, and leaves no halves."""

from __future__ import annotations

import pytest

from functions.adapters.memory import MemoryObjectStore
from functions.adapters.stores.errors import (
    ConnectionCut,
    InvalidCredentials,
    RequestRefused,
    StoreFull,
)
from functions.adapters.stores.port import ObjectStore

CUT = ConnectionCut("The connection was cut.")


def write(store: ObjectStore) -> None:
    """Write an object at once and one in two parts: five calls."""
    store.put("whole", b"1234")
    upload = store.upload("parts")
    upload.part(1, b"12")
    upload.part(2, b"34")
    upload.complete()


def keys(store: ObjectStore) -> list[str]:
    return [entry.key for entry in store.list("")]


@pytest.mark.parametrize(
    ("call", "left"),
    [(1, []), (2, ["whole"]), (3, ["whole"]), (4, ["whole"]), (5, ["whole"])],
)
def test_a_failed_call_has_no_effect(call: int, left: list[str]) -> None:
    store = MemoryObjectStore(min_part=1)
    store.faults.fail_at(call, CUT)
    with pytest.raises(ConnectionCut):
        write(store)
    assert keys(store) == left


def test_a_call_whose_answer_is_lost_took_effect() -> None:
    store = MemoryObjectStore(min_part=1)
    store.faults.fail_at(5, CUT, after=True)
    with pytest.raises(ConnectionCut):
        write(store)
    assert keys(store) == ["parts", "whole"]


def test_a_download_can_be_cut_in_its_middle() -> None:
    store = MemoryObjectStore()
    store.put("big", bytes(100_000))
    store.faults.reset()
    store.faults.fail_at(3, CUT)
    with store.read("big") as reading:
        assert 0 < len(reading.read(1 << 20)) < 100_000
        with pytest.raises(ConnectionCut):
            reading.read(1 << 20)


def test_a_full_store_takes_no_more_and_keeps_what_it_has() -> None:
    store = MemoryObjectStore(capacity=6, min_part=1)
    with pytest.raises(StoreFull, match="make room") as raised:
        write(store)
    assert raised.value.is_final
    assert keys(store) == ["whole"]


def test_a_store_can_refuse_everything() -> None:
    store = MemoryObjectStore(refuses=InvalidCredentials("No."))
    for ask in (lambda: write(store), lambda: keys(store), store.create_bucket):
        with pytest.raises(InvalidCredentials):
            ask()


def test_a_part_before_the_last_must_not_be_small() -> None:
    store = MemoryObjectStore()
    with pytest.raises(RequestRefused, match="too small"):
        write(store)


@pytest.mark.parametrize("key", ["", "/absolute", "\\other", "k" * 1024])
def test_keys_that_some_store_refuses_are_refused(key: str) -> None:
    with pytest.raises(RequestRefused, match="no object of the key"):
        MemoryObjectStore().put(key, b"")
