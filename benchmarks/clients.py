"""Clients that write one node after the other, and how long each write took them.

They try again every few milliseconds, so what is seen is how long the servers took no writes, not
how patiently a client waited.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.retry import KazooRetry

CLIENTS = 3
PAUSE_SECONDS = 0.005
RETRY_SECONDS = 0.02
SESSION_SECONDS = 10.0
START_SECONDS = 30.0
JOIN_SECONDS = 60.0
DATA = bytes(100)
# Each try to connect would be a line.
_QUIET = logging.getLogger("benchmarks.clients")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class Client(threading.Thread):
    """One client; `moments` are when its writes were asked for and acknowledged."""

    def __init__(self, hosts: str) -> None:
        super().__init__(daemon=True)
        self.moments: list[tuple[float, float]] = []
        self.stopping = threading.Event()
        self._path = f"/bench-{uuid.uuid4().hex[:8]}"
        self._client = KazooClient(
            hosts=hosts,
            timeout=SESSION_SECONDS,
            logger=_QUIET,
            connection_retry=KazooRetry(max_tries=-1, delay=RETRY_SECONDS, backoff=1),
        )

    def run(self) -> None:
        self._client.start(timeout=START_SECONDS)
        while not self.stopping.is_set():
            self._write()
            time.sleep(PAUSE_SECONDS)
        self._client.stop()
        self._client.close()

    def _write(self) -> None:
        asked = time.monotonic()
        try:
            self._client.set(self._path, DATA)
        except NoNodeError:
            # At the beginning, and where a restore took it away.
            self._client.ensure_path(self._path)
        except (KazooException, KazooTimeoutError):
            return
        self.moments.append((asked, time.monotonic()))


@contextmanager
def writing(hosts: str) -> Iterator[list[Client]]:
    """Write all the time inside."""
    clients = [Client(hosts) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join(JOIN_SECONDS)


def latencies(clients: list[Client], since: float, until: float) -> list[float]:
    """Return the milliseconds that each write took that was asked for in that time."""
    return [
        1000 * (acknowledged - asked)
        for client in clients
        for asked, acknowledged in client.moments
        if since <= asked < until
    ]


def longest_gap(client: Client) -> float:
    times = [acknowledged for _, acknowledged in client.moments]
    return max((after - before for before, after in pairwise(times)), default=0)
