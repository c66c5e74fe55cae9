"""What is true of an ensemble at a transaction: what writers were told, and what its logs say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from functions.backups.choosing import logs_behind, snapshots_in
from functions.persistence.data_tree import DataTree, tree_of
from functions.persistence.snapshot import Snapshot
from functions.persistence.txn import Transaction, decode
from functions.persistence.txn_log import TxnLog
from tests.contract.data_set import session

WRITERS = 2
LARGE = 1_000_000


@dataclass
class Journal:
    """What one writer was told: each acknowledged change, by its own transaction."""

    root: str
    changes: list[tuple[int, str, bytes | None]] = field(default_factory=list)

    def state(self, zxid: int) -> dict[str, bytes]:
        """Return the nodes after transaction `zxid`."""
        found: dict[str, bytes] = {}
        for changed, path, data in self.changes:
            if changed > zxid:
                break
            if data is None:
                del found[path]
            else:
                found[path] = data
        return found


def _write_journal(hosts: str, journal: Journal, stopped: threading.Event) -> None:
    choose = Random(journal.root)
    live: set[str] = set()
    with session(hosts) as client:
        client.create(journal.root)
        while not stopped.is_set():
            path = f"{journal.root}/{choose.randrange(50)}"
            size = LARGE if choose.randrange(100) == 0 else choose.randrange(2000)
            data = choose.randbytes(size)
            if path not in live:
                _, stat = client.create(path, data, include_data=True)
                journal.changes.append((stat.czxid, path, data))
                live.add(path)
            elif choose.randrange(3):
                stat = client.set(path, data)
                journal.changes.append((stat.mzxid, path, data))
            else:
                # The answer to a deletion names no transaction; the parent does, for this session
                # is the only one that makes or deletes its children.
                client.delete(path)
                _, stat = client.get(journal.root)
                journal.changes.append((stat.pzxid, path, None))
                live.remove(path)


@contextmanager
def journaled(hosts: str) -> Iterator[list[Journal]]:
    """Keep writing, and keep what was acknowledged."""
    stopped = threading.Event()
    journals = [Journal(f"/journal-{n}") for n in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        ends = [pool.submit(_write_journal, hosts, each, stopped) for each in journals]
        try:
            yield journals
        finally:
            stopped.set()
        for end in ends:
            end.result()


def replayed(
    folder: Path, zxid: int, counts: Callable[[Transaction], bool] = lambda _: True
) -> DataTree:
    """Return the state at `zxid` by all logs in the folder, from its very first snapshot on.

    Of the transactions those are made that `counts` says.
    """
    names = [path.name for path in folder.iterdir()]
    first = snapshots_in(names)[-1]
    with (folder / first.text).open("rb") as file:
        tree = tree_of(Snapshot(file))
    for name in logs_behind(names, first.zxid):
        with (folder / name.text).open("rb") as file:
            log = TxnLog(file, keep=True)
            for record in log:
                if first.zxid < record.zxid <= zxid and log.payload is not None:
                    transaction = decode(record, log.payload)
                    if counts(transaction):
                        tree.apply(transaction)
    return tree
