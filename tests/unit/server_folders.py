"""The folder of a server as ZooKeeper leaves it, made by hand, and a backup made of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from functions.adapters.memory import MemoryObjectStore
from functions.backups.making import Made, Origin, Target, Work, make
from functions.backups.manifest import FILES
from functions.backups.taking import Committed, ServerFolders, Taking, take
from functions.persistence.digest import node_digest, tree_digest
from functions.persistence.stat import STAT
from tests.backup_environment import OBJECT_KEY as OBJECT_KEY
from tests.unit.zookeeper_files import (
    LOG_HEADER,
    NEW,
    ZEROS,
    buffer,
    node,
    number,
    record,
    snapshot_of,
    text,
)

EPOCH = 1 << 32
START = EPOCH | 2
"""The newest snapshot's transaction."""
END = EPOCH | 9
"""The last transaction on the disk."""

ORIGIN = Origin("zk", "default", "zk-0", 1, "3.9.5", ("server.1=zk-0:2888:3888:participant",))
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAMES = ("acceptedEpoch", "currentEpoch", "log.100000001", "log.100000006", "snapshot.100000002")


def set_data(zxid: int, size: int = 30) -> bytes:
    """Return one transaction that sets a node's data."""
    return record(zxid, text("/a") + buffer(bytes([zxid % 251]) * size) + number(zxid & 0xFF))


def log_file(*counts: int) -> bytes:
    return LOG_HEADER + b"".join(set_data(EPOCH | count) for count in counts)


def snapshot_file(zxid: int, size: int = 10) -> bytes:
    """Return a snapshot that was written at rest: root and `/a`."""
    data = b"a" * size
    total = sum(
        node_digest(path, each, STAT.pack(*NEW)) for path, each in ((b"", b""), (b"/a", data))
    )
    digest = (zxid, 2, tree_digest(total))
    return snapshot_of(node(""), node("/a", data), digest=digest, last_zxid=zxid)


def server_folder(folder: Path) -> ServerFolders:
    """Write what a server in epoch 1 has after transaction 9."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "snapshot.0").write_bytes(snapshot_file(0))
    (folder / "snapshot.100000002").write_bytes(snapshot_file(START))
    (folder / "log.100000001").write_bytes(log_file(1, 2, 3, 4, 5) + ZEROS)
    (folder / "log.100000006").write_bytes(log_file(6, 7, 8, 9) + ZEROS)
    (folder / "currentEpoch").write_text("1")
    (folder / "acceptedEpoch").write_text("1")
    return ServerFolders(folder, folder)


def at(zxid: int) -> Callable[[], Committed]:
    return lambda: Committed(zxid, 2)


def back_up(
    store: MemoryObjectStore,
    folders: ServerFolders,
    ask: Callable[[], Committed | None] | None = None,
    *,
    pod: str = "pod",
    part_bytes: int = 8 << 20,
    end_seconds: float = 10.0,
) -> Made:
    """Make a backup of the folder, as `copy_out` does."""
    work = Work(
        take=lambda outbox: (
            take(
                Taking(folders, outbox, ask or at(END), end_seconds=end_seconds, pause_seconds=0.0)
            ),
            FILES,
            "",
        ),
        now=lambda: NOW,
        part_bytes=part_bytes,
    )
    return make(Target(store, OBJECT_KEY, pod), ORIGIN, work)


def contents(store: MemoryObjectStore, pod: str = "pod") -> dict[str, bytes]:
    """Return what a backup holds, by name."""
    prefix = f"{OBJECT_KEY}/{pod}/"
    found = {key: stored.data for key, stored in store.objects.items()}
    return {key.removeprefix(prefix): data for key, data in found.items() if key.startswith(prefix)}
