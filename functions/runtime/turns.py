"""One look at a time per object within one process, and never more than one that waits for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Hashable, Iterator
from weakref import WeakValueDictionary


class Turns:
    """Whose turn it is to look at an object.

    A delivery that finds another one waiting has nothing to do: that one has yet to look, and will
    see all that this one could. It may be answered, because the other's sender delivers again until
    that look was taken. So a burst about one object costs two looks, however many events it has.

    Correctness never rests on taking turns (another process may run the same function); it saves
    the work of deliveries that would only find a conflict.
    """

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[Hashable, _Turn] = WeakValueDictionary()
        self._guard = threading.Lock()

    @contextlib.contextmanager
    def of(self, key: Hashable) -> Iterator[bool]:
        """Wait for the turn; yields False at once when somebody else waits for it already."""
        with self._guard:
            turn = self._turns.setdefault(key, _Turn())
            is_needed = not turn.is_awaited
            turn.is_awaited = True
        if not is_needed:
            yield False
            return
        with turn.lock:
            # From here on it looks: whoever comes now may know of something newer.
            turn.is_awaited = False
            yield True

    def is_awaited(self, key: Hashable) -> bool:
        """Whether somebody waits for the turn and has yet to look."""
        with self._guard:
            turn = self._turns.get(key)
            return turn is not None and turn.is_awaited


class _Turn:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.is_awaited = False
