"""One delivery at a time per object, within one process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from weakref import WeakValueDictionary

from functions.api.kinds import Ref


class Turns:
    """One delivery at a time per cluster within this process.

    Correctness never rests on it (another process may run the same function); it saves the work
    of deliveries that would only find a conflict.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Ref, _Turn] = WeakValueDictionary()
        self._guard = threading.Lock()

    @contextlib.contextmanager
    def of(self, ref: Ref) -> Iterator[None]:
        with self._guard:
            turn = self._locks.setdefault(ref, _Turn())
        with turn.lock:
            yield


class _Turn:
    def __init__(self) -> None:
        self.lock = threading.Lock()
