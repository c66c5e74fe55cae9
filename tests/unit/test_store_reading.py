"""A download over several connections: nothing twice, nothing missing, no end before the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.adapters.stores.errors import (
    ConnectionCut,
    ObjectChanged,
    RequestRefused,
    StoreError,
)
from functions.adapters.stores.patience import Patience
from functions.adapters.stores.reading import ResumedReading
from functions.adapters.stores.store_requests import Opened

DATA = bytes(range(256)) * 4
PATIENCE = Patience(tries=3, wait_seconds=0.0)


class Answer:
    """Some of an object's bytes, after which the connection ends: with an error, or without."""

    def __init__(self, data: bytes, error: StoreError | None) -> None:
        self.data = data
        self.error = error
        self.is_open = True

    def read(self, size: int, /) -> bytes:
        block, self.data = self.data[:size], self.data[size:]
        if not block and self.error is not None:
            raise self.error
        return block

    def close(self) -> None:
        self.is_open = False


class Store:
    """One object, of which each connection gives so many bytes as `pieces` says, the last all."""

    def __init__(self, pieces: list[int], error: StoreError | None = None) -> None:
        self.pieces = pieces
        self.error = error
        self.answers: list[Answer] = []
        self.change: Callable[[Opened], Opened] = lambda opened: opened

    def open_at(self, start: int) -> Opened:
        piece = self.pieces[len(self.answers)] if len(self.answers) < len(self.pieces) else None
        end = None if piece is None else start + piece
        self.answers.append(Answer(DATA[start:end], self.error))
        opened = Opened(self.answers[-1], start, len(DATA), "tag")
        return opened if len(self.answers) == 1 else self.change(opened)

    def reading(self, start: int = 0) -> ResumedReading:
        return ResumedReading("the object", self.open_at, start, PATIENCE)


def rest(reading: ResumedReading, size: int = 100) -> bytes:
    return b"".join(iter(lambda: reading.read(size), b""))


CUT = ConnectionCut("cut")


@pytest.mark.parametrize("error", [None, CUT], ids=["ends", "raises"])
@given(
    pieces=st.lists(st.integers(0, 600), max_size=2),
    start=st.integers(0, len(DATA)),
    size=st.integers(1, 2000),
)
def test_all_bytes_come_once_and_in_order(
    error: StoreError | None, pieces: list[int], start: int, size: int
) -> None:
    store = Store(pieces, error)
    reading = store.reading(start)
    assert rest(reading, size) == DATA[start:]
    reading.close()
    assert not [answer for answer in store.answers if answer.is_open]


@pytest.mark.parametrize("error", [None, CUT], ids=["ends", "raises"])
def test_an_object_that_never_comes_to_its_end_is_no_whole_one(error: StoreError | None) -> None:
    store = Store([10] * 100, error)
    with store.reading() as reading, pytest.raises(ConnectionCut):
        rest(reading)
    assert len(store.answers) == PATIENCE.tries


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param(lambda it: Opened(it.body, it.start, it.size, "new"), ObjectChanged, id="tag"),
        pytest.param(
            lambda it: Opened(it.body, it.start, it.size + 1, it.tag), ObjectChanged, id="size"
        ),
        pytest.param(lambda it: Opened(it.body, 0, it.size, it.tag), RequestRefused, id="start"),
    ],
)
def test_it_goes_on_only_with_the_same_object_where_it_was(
    change: Callable[[Opened], Opened], error: type[StoreError]
) -> None:
    store = Store([10], CUT)
    store.change = change
    with store.reading() as reading, pytest.raises(error, match="the object"):
        rest(reading)
    assert not [answer for answer in store.answers if answer.is_open]
