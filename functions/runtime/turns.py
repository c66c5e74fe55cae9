"""One look at a time per object within one process, and none for what was looked at since."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from weakref import WeakValueDictionary

# So many objects' last looks are remembered, at about 300 bytes each.
MOST_REMEMBERED = 10_000


class Turns:
    """Whose turn it is to look at an object.

    A delivery that finds another one waiting has nothing to do: that one has yet to look, and will
    see all that this one could. It may be answered, because the other's sender delivers again until
    that look was taken. So a burst about one object costs two looks, however many events it has.

    Nor has a delivery anything to do whose event had arrived before a look began that is finished
    by now: what it tells of had happened by then. So events that queue before this process cost
    one look of each object (docs/decisions/0027).

    Correctness never rests on taking turns (another process may run the same function); it saves
    the work of deliveries that would find nothing new, or only a conflict.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, most: int = MOST_REMEMBERED
    ) -> None:
        self._turns: WeakValueDictionary[Hashable, _Turn] = WeakValueDictionary()
        self._guard = threading.Lock()
        self._clock = clock
        self._most = most
        # When the last look began that nothing broke off; the oldest look first.
        self._looks: OrderedDict[Hashable, float] = OrderedDict()

    @contextlib.contextmanager
    def of(self, key: Hashable, arrived: float | None = None) -> Iterator[bool]:
        """Wait for the turn; yields False when there is nothing to do with it.

        That is at once when somebody else waits for it already, who looks for this one too, and
        else when a look that was finished had begun after `arrived` (seconds of the clock; None:
        not known) and after all that was left to it had arrived. A look that raises was not
        finished.
        """
        with self._guard:
            turn = self._turns.setdefault(key, _Turn())
            is_left_to_another = turn.is_awaited
            turn.await_for(math.inf if arrived is None else arrived)
        if is_left_to_another:
            yield False
            return
        with turn.lock:
            with self._guard:
                # No longer awaited: whoever comes now may know of something newer.
                newest, looked = turn.take(), self._looks.get(key, -math.inf)
            if newest < looked:
                yield False
                return
            begun = self._clock()
            yield True
            self._remember(key, begun)

    def _remember(self, key: Hashable, begun: float) -> None:
        with self._guard:
            self._looks[key] = begun
            self._looks.move_to_end(key)
            if len(self._looks) > self._most:
                self._looks.popitem(last=False)

    def is_awaited(self, key: Hashable) -> bool:
        """Whether somebody waits for the turn and has yet to look."""
        with self._guard:
            turn = self._turns.get(key)
            return turn is not None and turn.is_awaited


class _Turn:
    """A lock, and when the newest event arrived that is left to the one that waits for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._newest: float | None = None

    @property
    def is_awaited(self) -> bool:
        return self._newest is not None

    def await_for(self, arrived: float) -> None:
        self._newest = arrived if self._newest is None else max(self._newest, arrived)

    def take(self) -> float:
        newest, self._newest = self._newest, None
        assert newest is not None, "only who waits takes it"
        return newest
