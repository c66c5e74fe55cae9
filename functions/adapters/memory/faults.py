"""Outside calls that go wrong on request: what a crash law and a test of a race need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Action = Callable[[], None]


class Faults:
    """Counts outside calls and does something at chosen ones; one may be shared by several twins.

    Calls are counted from 1, starting with the first call after the last `reset`.
    """

    def __init__(self) -> None:
        self.calls = 0
        self._before: dict[int, Action] = {}
        self._after: dict[int, Action] = {}

    def reset(self) -> None:
        """Count from 1 again and forget what was still to happen."""
        self.calls = 0
        self._before.clear()
        self._after.clear()

    def at(self, call: int, action: Action, *, after: bool = False) -> None:
        """Do `action` right before call number `call` takes effect, or right after."""
        (self._after if after else self._before)[call] = action

    def fail_at(self, call: int, error: BaseException, *, after: bool = False) -> None:
        """Raise `error` from call number `call`: before it takes effect, or `after` it did."""

        def fail() -> None:
            raise error

        self.at(call, fail, after=after)

    @contextmanager
    def around(self) -> Iterator[None]:
        """Wrap one outside call."""
        self.calls += 1
        call = self.calls
        if action := self._before.pop(call, None):
            action()
        yield
        if action := self._after.pop(call, None):
            action()
