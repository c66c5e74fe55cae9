"""An object read as one stream, although its connection may be cut on the way.

After a cut the next request asks for the bytes from there on. It goes on only with the same
object: one that was written anew meanwhile would give the half of each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Self

from functions.adapters.stores.errors import (
    ConnectionCut,
    ObjectChanged,
    PassingError,
    RequestRefused,
)
from functions.adapters.stores.patience import Patience
from functions.adapters.stores.store_requests import Opened

# Whoever passed so many bytes since the last cut has all tries again.
PROGRESS_BYTES = 1 << 20


class ResumedReading:
    """A `Reading` over as many answers as it takes."""

    def __init__(
        self, name: str, open_at: Callable[[int], Opened], start: int, patience: Patience
    ) -> None:
        self._name = name
        self._open_at = open_at
        self._patience = patience
        self._at = start
        self._cut_at = start
        self._waits: Iterator[float] = patience.waits()
        self._opened = self._checked(open_at(start))

    @property
    def size(self) -> int:
        return self._opened.size

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none only at the object's very end."""
        while self._at < self._opened.size and size:
            try:
                return self._next(size)
            except PassingError as cut:
                self._go_on(cut)
        return b""

    def close(self) -> None:
        self._opened.body.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self, size: int) -> bytes:
        block = self._opened.body.read(min(size, self._opened.size - self._at))
        if not block:
            raise ConnectionCut(f"{self._name} ended at byte {self._at} of {self._opened.size}.")
        self._at += len(block)
        return block

    def _go_on(self, cut: PassingError) -> None:
        """Open the object again where it was cut; raises `cut` when that was tried enough."""
        self.close()
        if self._at - self._cut_at >= PROGRESS_BYTES:
            self._waits = self._patience.waits()
        self._cut_at = self._at
        wait = next(self._waits, None)
        if wait is None:
            raise cut
        time.sleep(wait)
        before, self._opened = self._opened, self._checked(self._open_at(self._at))
        if (before.size, before.tag) != (self._opened.size, self._opened.tag):
            self.close()
            raise ObjectChanged(f"{self._name} was written anew while it was read: read it again.")

    def _checked(self, opened: Opened) -> Opened:
        if opened.start != self._at:
            opened.body.close()
            raise RequestRefused(
                f"{self._name} was asked for from byte {self._at} and came from {opened.start}: "
                "something between here and the store ignores ranges, take it out."
            )
        return opened


class Nothing:
    """The end of an object: what is read there."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, size: int, /) -> bytes:  # noqa: ARG002 - the port's words
        return b""

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
