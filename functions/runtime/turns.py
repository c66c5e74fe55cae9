"""One look at a time per object within one process, and none for what was looked at since."""

from __future__ import annotations

import contextlib
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

        That is at once when somebody else waits for it already, and else when a look that was
        finished had begun after `arrived` (seconds of the clock; None: not known). A look that
        raises was not finished.
        """
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
            if self._has_looked_since(arrived, key):
                yield False
                return
            begun = self._clock()
            yield True
            self._remember(key, begun)

    def _has_looked_since(self, arrived: float | None, key: Hashable) -> bool:
        with self._guard:
            begun = self._looks.get(key)
        return arrived is not None and begun is not None and arrived < begun

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
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.is_awaited = False
