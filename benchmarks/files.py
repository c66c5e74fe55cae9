"""How fast a log and a snapshot are checked, beside reading the same file and doing nothing.

The files hold nodes of one size; small ones cost most, for each is looked at on its own. Speed is
by processor time, for nothing waits: the files are in memory.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

from benchmarks.figures import Figure
from functions.persistence.block_reader import BLOCK
from functions.persistence.log_summary import summarize
from functions.persistence.snapshot import Snapshot
from functions.persistence.snapshot_summary import summarize_snapshot
from functions.persistence.txn_log import TxnLog
from tests.unit.zookeeper_files import LOG_HEADER, node, record, snapshot_of

MEGABYTE = 1 << 20
SIZE = 100 * MEGABYTE
DATA_BYTES = (100, 1000, 20_000)
_UNIT = "MB per second of a processor"

Reading = Callable[[BinaryIO], None]
Kind = tuple[str, Callable[[int], bytes], Reading]


def measure(runs: int, say: Callable[[str], None]) -> list[Figure]:
    """Return a figure for each size of node; the baseline is reading the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        kinds = (("log", _log, _check_log), ("snapshot", _snapshot, _check_snapshot))
        return [_figure(path, kind, size, runs, say) for kind in kinds for size in DATA_BYTES]


def _figure(path: Path, kind: Kind, size: int, runs: int, say: Callable[[str], None]) -> Figure:
    name, written, check = kind
    say(f"files: a {name} with {size} bytes to a node")
    path.write_bytes(written(size))
    plain, checked = [], []
    for _ in range(runs):
        plain.append(_speed(path, _read))
        checked.append(_speed(path, check))
    return Figure(f"A {name} of 100 MB checked", f"nodes of {size} bytes", _UNIT, checked, plain)


def _speed(path: Path, reading: Reading) -> float:
    started = time.process_time()
    with path.open("rb", buffering=0) as file:
        reading(file)
    return SIZE / MEGABYTE / (time.process_time() - started)


def _read(file: BinaryIO) -> None:
    while file.read(BLOCK):
        pass


def _check_log(file: BinaryIO) -> None:
    summarize(TxnLog(file))


def _check_snapshot(file: BinaryIO) -> None:
    summarize_snapshot(Snapshot(file))


def _log(size: int) -> bytes:
    one = len(record(1, bytes(size)))
    return LOG_HEADER + b"".join(record(zxid, bytes(size)) for zxid in range(1, SIZE // one))


def _snapshot(size: int) -> bytes:
    one = node("/n12345678", bytes(size))
    return snapshot_of(node(""), *repeat(one, SIZE // len(one)))
