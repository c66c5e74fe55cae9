"""How far a program in a Job's pod is: served as `GET :1989/progress`, and told in its log."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from functions.pods.endpoints import Endpoints, showing

log = logging.getLogger("progress")

PORT = 1989
LOG_SECONDS = 5.0
# How long the end of the work waits for the port to be given back, at most.
POLL_SECONDS = 0.1
_MEGABYTE = 1_000_000


class Progress:
    """Bytes done of bytes to do, in a phase that has a name; threads may tell it at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done = 0
        self._total = 0
        self._phase = "starting"
        self._logged_at = time.monotonic()

    def begin(self, phase: str, total: int = 0) -> None:
        """Start a phase, with nothing done of `total` bytes."""
        with self._lock:
            self._done, self._total, self._phase = 0, total, phase
        self._log()

    def expect(self, total: int) -> None:
        """Say anew how many bytes there are to do in this phase."""
        with self._lock:
            self._total = total

    def add(self, size: int) -> None:
        """Say that so many more bytes are done; a negative number takes some back."""
        with self._lock:
            self._done += size
        self._log_sometimes()

    def tell(self, done: int, total: int, phase: str) -> None:
        """Say how many bytes of a phase are done of how many."""
        with self._lock:
            self._done, self._total, self._phase = done, total, phase
        self._log_sometimes()

    def seen(self) -> dict[str, Any]:
        """Return what `GET /progress` answers."""
        with self._lock:
            # A log grows while it is copied: what is done is never more than all.
            total = max(self._done, self._total)
            return {"done": self._done, "total": total, "phase": self._phase}

    def _log_sometimes(self) -> None:
        if time.monotonic() - self._logged_at >= LOG_SECONDS:
            self._log()

    def _log(self) -> None:
        self._logged_at = time.monotonic()
        seen = self.seen()
        done, total = seen["done"] / _MEGABYTE, seen["total"] / _MEGABYTE
        log.info("%s: %.1f MB of %.1f MB", seen["phase"], done, total)


@contextmanager
def served(environment: Mapping[str, str]) -> Iterator[Progress]:
    """Yield a progress that is served while the work goes on; if it cannot be, the work goes on."""
    progress = Progress()
    port = int(environment.get("PROGRESS_PORT") or PORT)
    try:
        server = Endpoints(("", port), {"/progress": showing(progress.seen)})
    except OSError as error:
        log.warning("the progress cannot be served on port %s: %s", port, error)
        yield progress
        return
    threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
    try:
        yield progress
    finally:
        server.shutdown()
        server.server_close()
