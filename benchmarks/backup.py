"""How fast a backup is copied out and proven, beside moving the same bytes; and in how much memory.

The store is rclone's S3 server on the same machine, so what the copier adds is not hidden behind a
network: while it checks a record, the store has to wait for a processor. Both sides are warm.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count, repeat
from pathlib import Path
from typing import Any

import boto3

from benchmarks.figures import Figure
from functions.adapters.stores.port import ObjectStore
from functions.backups.making import Origin, Target, Work, make
from functions.backups.manifest import FILES
from functions.backups.parts import Outbox
from functions.backups.proof import prove_folder, prove_prefix
from functions.backups.taken import Taken
from functions.backups.taking import ServerFolders, Taking, take
from local.platform.handle import Platform
from tests.contract.store_servers import RealSide, Server, s3_server
from tests.unit.zookeeper_files import LOG_HEADER, node, record, snapshot_of

MEGABYTE = 1 << 20
SIZE = 100
LARGE = 2048
DATA_BYTES = (1000, 20_000)
BLOCK = 1 << 20
ORIGIN = Origin("zk", "bench", "zk-0", 1, "3.9.5", ())
_SPEED = "MB per second"
_numbers = count()
# A process inherits the peak that its parent had: only what the kernel keeps for its own memory
# counts.
_COPY = """
import os, pathlib
from functions.adapters.stores.connect import connect
from functions.pods.copy_out import copy_out
copy_out(os.environ, lambda: connect(os.environ))
status = pathlib.Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""


def measure(_: Platform, runs: int, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures; a round measures the baseline and the product one after the other."""
    with tempfile.TemporaryDirectory() as name, s3_server(Path(name)) as server:
        side = RealSide(server)
        store = side.store(CREATE_BUCKET="true")
        figures = []
        for size in DATA_BYTES:
            say(f"backup: nodes of {size} bytes")
            folder = _server_folder(Path(name) / f"{size}", size, SIZE)
            figures += _speeds(folder, side, store, size, runs)
        say("backup: memory")
        large = _server_folder(Path(name) / "large", DATA_BYTES[-1], LARGE)
        small = Path(name) / f"{DATA_BYTES[-1]}"
        figures.sort(key=lambda figure: figure.title)
        return [*figures, _memory(small, large, server, side.bucket, runs)]


def _speeds(folder: Path, side: RealSide, store: ObjectStore, size: int, runs: int) -> list[Figure]:
    client = _client(side.server)
    copied, plain, proven, fetched, judged, read = [], [], [], [], [], []
    for _ in range(runs):
        key = f"bench/backup/once/{next(_numbers)}"
        plain.append(_speed(lambda: _upload(client, side.bucket, folder)))
        copied.append(_speed(lambda: _copy(store, key, folder)))  # noqa: B023 - called at once.
        fetched.append(_speed(lambda: _download(client, side.bucket, folder)))
        proven.append(_speed(lambda: prove_prefix(store, key)))  # noqa: B023
        read.append(_speed(lambda: _read(folder)))
        judged.append(_speed(lambda: prove_folder(folder)))
    name = f"nodes of {size} bytes"
    return [
        Figure("100 MB backed up, boto3's upload beside it", name, _SPEED, copied, plain),
        Figure("100 MB proven in the store, a download beside it", name, _SPEED, proven, fetched),
        Figure("100 MB proven in a folder, reading beside it", name, _SPEED, judged, read),
    ]


def _speed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return SIZE / (time.monotonic() - started)


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


def _memory(small: Path, large: Path, server: Server, bucket: str, runs: int) -> Figure:
    """Return the copier's peak memory for the large backup, beside that for the small one."""
    peaks = [[_peak(folder, server, bucket) for folder in (small, large)] for _ in range(runs)]
    return Figure(
        "The copier's peak memory, that for 100 MB beside it",
        "2 GB",
        "MB",
        [large_peak for _, large_peak in peaks],
        [small_peak for small_peak, _ in peaks],
    )


def _peak(folder: Path, server: Server, bucket: str) -> float:
    """Run the copier as a pod does; return the most memory that it had, in megabytes."""
    environment = {
        **os.environ,
        **server.environment(bucket),
        "OBJECT_KEY": "bench/memory/once",
        "POD_NAME": f"pod-{next(_numbers)}",
        "SNAPSHOT_DIR": str(folder),
        "LOG_DIR": str(folder),
        "SERVER_HOST": "",
        "CLUSTER": "zk",
        "SERVER": "zk-0",
        "SERVER_ID": "1",
        "ZK_VERSION": "3.9.5",
        "METHOD": "files",
        "VERIFY": "true",
        "TERMINATION_LOG": os.devnull,
        "PROGRESS_PORT": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", _COPY], env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1]) / 1024


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
