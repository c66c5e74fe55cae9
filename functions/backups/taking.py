"""Taking one complete state from the folders of a server, while it writes, purges and rolls them.

The order is what makes it right:

1. The newest snapshot that is written to its end is opened.
2. The server is asked for the last transaction it has processed: Z. It is committed, so it never
   goes away, and it is behind everything in the snapshot, which is a state only with the log.
3. The logs behind the snapshot are opened. A file that is purged from here on can still be read.
4. Each is read once, and passed on up to Z. A server may have processed Z before it wrote it to
   its own disk, so the end is waited for.
5. What was read is judged. If a snapshot or a log is not what it should be, the next older
   snapshot is tried.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from functions.backups.choosing import snapshots_in
from functions.backups.following import END_SECONDS, ServerLogs, size_of
from functions.backups.manifest import BackupFile
from functions.backups.parts import Outbox
from functions.backups.passing import pass_snapshot
from functions.backups.taken import NotTaken, Taken, pass_epochs
from functions.persistence.complete_set import ReadLog, ReadSnapshot, complete_set
from functions.persistence.damage import Damaged
from functions.persistence.digest import DIGEST_VERSION
from functions.persistence.file_names import FileName
from functions.persistence.snapshot_summary import SnapshotSummary
from functions.persistence.zxid import epoch

log = logging.getLogger("backup")

MOST_ATTEMPTS = 6
ATTEMPTS_PER_SNAPSHOT = 2
PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ServerFolders:
    """Where a server keeps its snapshots and epochs, and its logs; they may be one folder."""

    snapshots: Path
    logs: Path


@dataclass(frozen=True, slots=True)
class Committed:
    """How far a serving server has processed transactions, and how many nodes it has."""

    zxid: int
    nodes: int


@dataclass(frozen=True, slots=True)
class Taking:
    """One backup being taken: from where, to where, and whom to ask for the end.

    `ask` returns None where nobody serves; then everything on the disk is taken. `expect` is told
    how many bytes there are about to be.
    """

    folders: ServerFolders
    outbox: Outbox
    ask: Callable[[], Committed | None]
    expect: Callable[[int], None] = lambda _: None
    end_seconds: float = END_SECONDS
    pause_seconds: float = PAUSE_SECONDS


def take(taking: Taking) -> Taken:
    """Write the files of one complete state; raises NotTaken, or a StoreError."""
    failures: Counter[str] = Counter()
    problems: list[NotTaken] = []
    for _ in range(MOST_ATTEMPTS):
        name = _newest(taking.folders.snapshots, failures)
        try:
            with ExitStack() as stack:
                return _take_from(taking, name, stack)
        except FileNotFoundError as error:
            problems.append(NotTaken(f"{error.filename} went away while it was to be copied."))
        except NotTaken as problem:
            failures[name.text] += 1
            problems.append(problem)
        log.warning("beginning again: %s", problems[-1])
        taking.outbox.discard()
        time.sleep(taking.pause_seconds)
    raise problems[0]


def _newest(folder: Path, failures: Counter[str]) -> FileName:
    snapshots = snapshots_in(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if not snapshots:
        raise NotTaken(f"{folder} holds no snapshot: no server has ever run on this volume.")
    usable = [name for name in snapshots if failures[name.text] < ATTEMPTS_PER_SNAPSHOT]
    return usable[0] if usable else snapshots[0]


def _take_from(taking: Taking, name: FileName, stack: ExitStack) -> Taken:
    path = taking.folders.snapshots / name.text
    file = cast(BinaryIO, stack.enter_context(path.open("rb", buffering=0)))
    committed = taking.ask()
    until = None if committed is None else committed.zxid
    logs = ServerLogs(taking.folders.logs, name.zxid, until, stack, taking.end_seconds)
    logs.open_new()
    taking.expect(sum(map(size_of, [file, *logs.opened.values()])))
    summary, copied = _pass_snapshot(taking, name, file, with_digest=not logs.opened)
    passed = _pass_logs(taking, logs)
    zxid = _judged(ReadSnapshot(name, summary), [read for read, _ in passed], until)
    epoch_files, newest_epoch = pass_epochs(taking.folders.snapshots, taking.outbox)
    copies = [copy for _, copy in passed if copy is not None]
    taking.outbox.wait()
    return Taken(
        files=(copied, *copies, *epoch_files),
        snapshot_zxid=name.zxid,
        zxid=zxid,
        epoch=max(newest_epoch, epoch(zxid)),
        nodes=summary.nodes if committed is None else committed.nodes,
        digest=_digest_at_end(logs, passed) if copies else _own_digest(summary),
        quorum=committed is not None,
    )


def _pass_snapshot(
    taking: Taking, name: FileName, file: BinaryIO, *, with_digest: bool
) -> tuple[SnapshotSummary, BackupFile]:
    writer = taking.outbox.object(name.text, size_of(file))
    try:
        summary = pass_snapshot(file, name.compression, writer, with_digest=with_digest)
    except Damaged as damage:
        # A server that is still writing it has not written its end.
        path = taking.folders.snapshots / name.text
        raise NotTaken(f"{path} cannot be used: {damage}.") from damage
    return summary, writer.finish()


def _pass_logs(taking: Taking, logs: ServerLogs) -> list[tuple[ReadLog, BackupFile | None]]:
    try:
        return list(logs.pass_on(taking.outbox))
    except Damaged as damage:
        raise NotTaken(f"A log in {logs.folder} cannot be used: {damage}.") from damage


def _judged(snapshot: ReadSnapshot, logs: Sequence[ReadLog], until: int | None) -> int:
    """Return the last transaction of the state that the files make; raises NotTaken."""
    chosen = complete_set([snapshot], logs)
    if chosen.gaps:
        raise NotTaken(f"The files of the server make no complete state: {chosen.gaps[0]}.")
    if until is not None and chosen.zxid < until and until & ((1 << 32) - 1):
        raise NotTaken(
            f"The server says that it is at {until:#x}, and its files end with {chosen.zxid:#x}."
        )
    if until is not None and chosen.zxid > until:
        raise NotTaken(
            f"{snapshot.name.text} holds more than the server says that it has processed "
            f"({until:#x})."
        )
    if not chosen.logs and snapshot.summary.is_proven is False:
        raise NotTaken(f"{snapshot.name.text} is no state of one moment, and no log behind it.")
    return chosen.zxid


def _digest_at_end(
    logs: ServerLogs, passed: Sequence[tuple[ReadLog, BackupFile | None]]
) -> int | None:
    """Return what the leader wrote as the tree's digest after the last transaction."""
    read = [read for read, copy in passed if copy is not None][-1]
    newest = read.summary.newest
    if newest is None:
        return None
    digest = logs.transaction(read.name, newest).digest
    return digest[1] if digest is not None and digest[0] == DIGEST_VERSION else None


def _own_digest(summary: SnapshotSummary) -> int | None:
    return summary.tree_digest if summary.is_proven else None
