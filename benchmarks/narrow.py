"""A network between a pod and its store: everything passes at a given speed, and no faster.

`python -m benchmarks.narrow PORT MEGABYTES` listens on a port of its own, which it prints, and
passes each connection on to PORT of this machine. The bytes stay in the kernel, so that it takes
little of the processors which both sides of the benchmark need.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

MEGABYTE = 1 << 20
# What a pipe holds.
BLOCK = 64 << 10
STOP_SECONDS = 5.0


class Pace:
    """Lets so many bytes of one direction pass per second, of all connections together."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, size: int) -> None:
        """Return when `size` bytes, which have come, may go on."""
        with self._lock:
            self._next = max(self._next, time.monotonic()) + size / self._per_second
            left = self._next - time.monotonic()
        if left > 0:
            time.sleep(left)


def passing(port: int, per_second: float) -> socket.socket:
    """Pass what comes on to `port`; returns the listening socket."""
    listener = socket.create_server(("127.0.0.1", 0))
    paces = Pace(per_second), Pace(per_second)

    def serve() -> None:
        with suppress(OSError):  # Nobody listens any more.
            while True:
                near, _ = listener.accept()
                threading.Thread(target=_connect, args=(near, port, *paces), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener


def _connect(near: socket.socket, port: int, there: Pace, back: Pace) -> None:
    with near, socket.create_connection(("127.0.0.1", port)) as far:
        for each in (near, far):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = threading.Thread(target=_pass, args=(far, near, back), daemon=True)
        answers.start()
        _pass(near, far, there)
        answers.join()


def _pass(source: socket.socket, target: socket.socket, pace: Pace) -> None:
    """Pass on what comes until nothing does any more, or nobody takes it."""
    out, into = os.pipe()
    try:
        with suppress(OSError):
            while size := os.splice(source.fileno(), into, BLOCK):
                pace.wait(size)
                while size:
                    size -= os.splice(out, target.fileno(), size)
        with suppress(OSError):
            # The other direction may have more to say.
            target.shutdown(socket.SHUT_WR)
    finally:
        os.close(out)
        os.close(into)


@contextmanager
def narrowed(port: int, megabytes: int) -> Iterator[int]:
    """Run one in a process of its own; yields its port."""
    command = [sys.executable, "-m", "benchmarks.narrow", str(port), str(megabytes)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as relay:
        assert relay.stdout is not None
        try:
            yield int(relay.stdout.readline())
        finally:
            relay.communicate(timeout=STOP_SECONDS)


def main(port: str, megabytes: str) -> int:
    listener = passing(int(port), int(megabytes) * MEGABYTE)
    print(listener.getsockname()[1], flush=True)
    # Ends with whoever started it.
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
