"""What a backup under way costs those who write: how long each write takes, with and without.

Three servers, the store, the copier and the clients share the processors of one machine, and one
backup follows the other all the time, so this is the most that it can be. A round is a while
without and a while with. The copier runs beside a follower, as the product would have it.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from kazoo.client import KazooClient

from benchmarks.clients import Client, latencies, writing
from benchmarks.copier import copier
from benchmarks.figures import Figure
from benchmarks.running import Failed, Say
from benchmarks.words import mode, until
from functions.planning.member_list import host_of, parse_member
from tests.contract.ensemble import PORT, RealEnsemble, fresh_hosts, line
from tests.contract.store_servers import RealSide, s3_server

WINDOW_SECONDS = 12.0
HEAP = "512m"
NODES, DATA_BYTES, AT_ONCE = 100_000, 1000, 500
STOP_SECONDS = 60.0
TITLE = "A write of 100 bytes while backups of 100 MB are made, without beside it"


def measure(runs: int, say: Say) -> list[Figure]:
    """Return the median and the 99th percentile of the writes of each window."""
    with (
        tempfile.TemporaryDirectory() as name,
        s3_server(Path(name) / "store") as server,
        _ensemble(Path(name)) as ensemble,
    ):
        side = RealSide(server)
        side.store(CREATE_BUCKET="true")
        say("beside: writing 100 MB of nodes")
        hosts = _hosts(ensemble)
        fill(hosts[0], NODES)
        without, beside = [], []
        with writing(",".join(f"{host}:{PORT}" for host in hosts)) as clients:
            time.sleep(WINDOW_SECONDS)
            for _round in range(runs):
                without.append(_window(clients))
                with _backups(ensemble, side) as made:
                    beside.append(_window(clients))
                say(f"beside: {len(made)} backups in {WINDOW_SECONDS:.0f} s")
    return [
        Figure(TITLE, name, "ms", [at(each) for each in beside], [at(each) for each in without])
        for name, at in (("median", statistics.median), ("99th percentile", _p99))
    ]


def _p99(milliseconds: list[float]) -> float:
    return statistics.quantiles(milliseconds, n=100)[98]


@contextmanager
def _ensemble(folder: Path) -> Iterator[RealEnsemble]:
    """Three servers that serve."""
    lines = [line(id, host) for id, host in enumerate(fresh_hosts(3), start=1)]
    ensemble = RealEnsemble(folder / "servers", lines, heap=HEAP, settings={"tickTime": "2000"})
    ensemble.start(1, 2, 3)
    try:
        until(lambda: all(map(mode, _hosts(ensemble))), "all three serve")
        yield ensemble
    finally:
        ensemble.stop(*list(ensemble.running))


def _hosts(ensemble: RealEnsemble) -> list[str]:
    return [host_of(parse_member(each)) for each in ensemble.lines]


def fill(host: str, nodes: int) -> None:
    """Write nodes of 1000 bytes, many in one transaction."""
    client = KazooClient(hosts=f"{host}:{PORT}")
    client.start()
    client.create("/data")
    for start in range(0, nodes, AT_ONCE):
        several = client.transaction()
        for number in range(start, start + AT_ONCE):
            several.create(f"/data/{number}", bytes(DATA_BYTES))
        several.commit()
    client.stop()
    client.close()


def _window(clients: list[Client]) -> list[float]:
    """Return how long each write of the next while takes."""
    began = time.monotonic()
    time.sleep(WINDOW_SECONDS)
    return latencies(clients, began, began + WINDOW_SECONDS)


@contextmanager
def _backups(ensemble: RealEnsemble, side: RealSide) -> Iterator[list[str]]:
    """Make one backup of a follower after the other inside; what is yielded has one each."""
    hosts = _hosts(ensemble)
    id = next(id for id, host in enumerate(hosts, start=1) if mode(host) == "follower")
    folder = ensemble.folder / str(id) / "data" / "version-2"
    serving = {"SERVER_HOST": hosts[id - 1], "CLIENT_PORT": str(PORT)}
    made: list[str] = []
    stopping = threading.Event()

    def work() -> None:
        while not stopping.is_set():
            with copier(folder, side, serving) as process:
                said, error = process.communicate(timeout=STOP_SECONDS)
            if process.returncode:
                raise Failed(error.strip())
            made.append(said)

    with ThreadPoolExecutor(1) as pool:
        end = pool.submit(work)
        # The first is under way, not just being started.
        until(lambda: bool(made) or end.done(), "the first backup")
        made.clear()
        try:
            yield made
        finally:
            stopping.set()
        end.result()
