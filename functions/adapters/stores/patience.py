"""How long a store may take and how often it is asked again.

One policy for both stores, in place of the libraries' own: oss2 has none, and boto3's would be
told in its words. What is tried again is decided by our errors: a `PassingError` is, nothing else.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from functions.adapters.stores.errors import PassingError

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Patience:
    """Waits double from `wait_seconds` on, each cut by up to half so that clients spread out.

    `connect_seconds` also limits how long the store may take none of what is sent to it.
    """

    connect_seconds: float = 10.0
    answer_seconds: float = 60.0
    tries: int = 6
    wait_seconds: float = 0.5
    longest_wait_seconds: float = 10.0

    def insist(self, call: Callable[[], Answer]) -> Answer:
        """Call until it works; raises the last PassingError after `tries` of them."""
        for wait in self.waits():
            try:
                return call()
            except PassingError:
                time.sleep(wait)
        return call()

    def waits(self) -> Iterator[float]:
        """Yield the waits between the tries."""
        for earlier in range(self.tries - 1):
            longest = min(self.longest_wait_seconds, self.wait_seconds * 2**earlier)
            yield longest * random.uniform(0.5, 1.0)
