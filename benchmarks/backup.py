"""How fast a backup is copied out and proven, beside moving the same bytes; and in how much memory.

The store is rclone's S3 server on the same machine, so what the copier adds is not hidden behind a
network: while it checks a record, the store has to wait for a processor. Other rows have a store
that answers as S3 does, and a network of the speed that a pod's usually has. Both sides are warm.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count, repeat
from pathlib import Path
from typing import Any

import boto3

from benchmarks.copier import copier
from benchmarks.figures import Figure
from benchmarks.narrow import narrowed
from benchmarks.running import Failed
from functions.adapters.stores.port import ObjectStore
from functions.backups.making import Origin, Target, Work, make
from functions.backups.manifest import FILES
from functions.backups.parts import Outbox
from functions.backups.proof import prove_folder, prove_prefix
from functions.backups.taken import Taken
from functions.backups.taking import ServerFolders, Taking, take
from tests.contract.store_servers import RealSide, Server, s3_server
from tests.unit.zookeeper_files import LOG_HEADER, node, record, snapshot_of

MEGABYTE = 1 << 20
SIZE = 100
LARGE = 2048
DATA_BYTES = (1000, 20_000)
BLOCK = 1 << 20
ORIGIN = Origin("zk", "bench", "zk-0", 1, "3.9.5", ())
# rclone reads a whole object and sums it where somebody asks for its size, which no S3 does. With
# this it answers without the sum.
KEEPS_HASHES = "--etag-hash="
# A network of one gigabit a second carries 119 MB of bytes, of which some are not the object's.
NETWORK = 100
PLAIN, HASHED = "", " to a store that need not sum"
NARROW = f" through a network of {NETWORK} MB per second"
COPIER_SECONDS = 300.0
_SPEED = "MB per second"
_numbers = count()


def measure(runs: int, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures; a round measures the baseline and the product one after the other."""
    with (
        tempfile.TemporaryDirectory() as name,
        s3_server(Path(name) / "laptop") as laptop,
        s3_server(Path(name) / "keeping", KEEPS_HASHES) as keeping,
    ):
        side, kept = RealSide(laptop), RealSide(keeping)
        figures = []
        for size in DATA_BYTES:
            say(f"backup: nodes of {size} bytes")
            folder = _server_folder(Path(name) / f"{size}", size, SIZE)
            figures += _uploads(PLAIN, folder, side, runs)
            figures += _uploads(HASHED, folder, kept, runs)
            with narrowed(keeping.port, NETWORK) as port:
                far = replace(kept, server=replace(keeping, port=port))
                figures += _uploads(NARROW, folder, far, runs)
            figures += _proofs(folder, side, runs)
        say("backup: memory")
        large = _server_folder(Path(name) / "large", DATA_BYTES[-1], LARGE)
        small = Path(name) / f"{DATA_BYTES[-1]}"
        figures.sort(key=lambda figure: figure.title)
        return [*figures, _memory(small, large, side, runs)]


def _uploads(title: str, folder: Path, side: RealSide, runs: int) -> list[Figure]:
    """Return the speed of a backup, and the processor time that it took beside the store's."""
    client, store = _client(side.server), side.store(CREATE_BUCKET="true")
    copied, plain = [], []
    # The first round opens the connections.
    for _ in range(runs + 1):
        key = f"bench/backup/once/{next(_numbers)}"
        plain.append(_timed(lambda: _upload(client, side.bucket, folder)))
        copied.append(_timed(lambda: _copy(store, key, folder)))  # noqa: B023 - called at once.
    (mine, my_time), (theirs, their_time) = (
        ([SIZE / elapsed for elapsed, _ in found[1:]], [busy for _, busy in found[1:]])
        for found in (copied, plain)
    )
    name = f"nodes of {folder.name} bytes"
    title = f"100 MB backed up{title}, boto3's upload beside it"
    busy = f"{title}: processor time"
    return [
        Figure(title, name, _SPEED, mine, theirs),
        Figure(busy, name, "s", my_time, their_time),
    ]


def _proofs(folder: Path, side: RealSide, runs: int) -> list[Figure]:
    client, store = _client(side.server), side.store()
    key = f"bench/backup/once/{next(_numbers)}"
    _copy(store, key, folder)
    proven, fetched, judged, read = [], [], [], []
    for _ in range(runs):
        fetched.append(_speed(lambda: _download(client, side.bucket, folder)))
        proven.append(_speed(lambda: prove_prefix(store, key)))
        read.append(_speed(lambda: _read(folder)))
        judged.append(_speed(lambda: prove_folder(folder)))
    name = f"nodes of {folder.name} bytes"
    return [
        Figure("100 MB proven in the store, a download beside it", name, _SPEED, proven, fetched),
        Figure("100 MB proven in a folder, reading beside it", name, _SPEED, judged, read),
    ]


def _speed(work: Callable[[], object]) -> float:
    return SIZE / _timed(work)[0]


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that the work took, and those of a processor in this process."""
    started, before = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - started, time.process_time() - before


def _copy(store: ObjectStore, key: str, folder: Path) -> None:
    above, _, pod = key.rpartition("/")

    def taking(outbox: Outbox) -> tuple[Taken, str, str]:
        return take(Taking(ServerFolders(folder, folder), outbox, lambda: None)), FILES, ""

    make(Target(store, above, pod), ORIGIN, Work(taking, verify=False))


def _upload(client: Any, bucket: str, folder: Path) -> None:
    for path in folder.iterdir():
        client.upload_file(str(path), bucket, f"plain/{path.name}")


def _download(client: Any, bucket: str, folder: Path) -> None:
    for path in folder.iterdir():
        body = client.get_object(Bucket=bucket, Key=f"plain/{path.name}")["Body"]
        while body.read(BLOCK):
            pass


def _read(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb", buffering=0) as file:
            while file.read(BLOCK):
                pass


def _client(server: Server) -> Any:
    environment = server.environment("")
    return boto3.client(
        "s3",
        endpoint_url=environment["ENDPOINT"],
        aws_access_key_id=environment["ACCESS_KEY"],
        aws_secret_access_key=environment["SECRET_KEY"],
        region_name="us-east-1",
    )


def _memory(small: Path, large: Path, side: RealSide, runs: int) -> Figure:
    """Return the copier's peak memory for the large backup, beside that for the small one."""
    peaks = [[_peak(folder, side) for folder in (small, large)] for _ in range(runs)]
    return Figure(
        "The copier's peak memory, that for 100 MB beside it",
        "2 GB",
        "MB",
        [large_peak for _, large_peak in peaks],
        [small_peak for small_peak, _ in peaks],
    )


def _peak(folder: Path, side: RealSide) -> float:
    """Run the copier as a pod does; return the most memory that it had, in megabytes."""
    with copier(folder, side, {}) as process:
        said, error = process.communicate(timeout=COPIER_SECONDS)
    if process.returncode:
        raise Failed(error.strip())
    return float(said.split()[-1]) / 1024


def _server_folder(folder: Path, size: int, megabytes: int) -> Path:
    """Write a snapshot and a log, half of the bytes each; the log in files of at most 256 MB."""
    folder.mkdir()
    half = megabytes * MEGABYTE // 2
    one = node("/n12345678", bytes(size))
    with (folder / "snapshot.0").open("wb") as file:
        file.write(snapshot_of(node(""), *repeat(one, half // len(one))))
    zxids = count(1)
    each = len(record(1, bytes(size)))
    for start in range(0, half, 256 * MEGABYTE):
        first = next(zxids)
        with (folder / f"log.{first:x}").open("wb") as file:
            file.write(LOG_HEADER + record(first, bytes(size)))
            for _ in range(min(half - start, 256 * MEGABYTE) // each):
                file.write(record(next(zxids), bytes(size)))
    return folder
