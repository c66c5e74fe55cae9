"""The logs of a server behind a snapshot, opened at once and read on while it writes them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from functions.backups.choosing import logs_behind
from functions.backups.manifest import BackupFile
from functions.backups.parts import Outbox
from functions.backups.passing import PassedLog
from functions.persistence.complete_set import ReadLog
from functions.persistence.file_names import FileName
from functions.persistence.log_end import FRAME
from functions.persistence.log_summary import LogSummary
from functions.persistence.txn import Transaction, decode
from functions.persistence.txn_log import Record

# A server writes what it has processed within moments, unless its disk hangs.
END_SECONDS = 30.0
# Right after an election nothing has been counted yet, so there is no transaction to wait for.
SETTLE_SECONDS = 1.0
POLL_SECONDS = 0.05
_COUNT = (1 << 32) - 1


@dataclass(slots=True)
class ServerLogs:
    """The logs that hold transactions behind `start`, up to `until` (None: all there are).

    They are opened when they are first seen: one that is purged later can still be read.
    """

    folder: Path
    start: int
    until: int | None
    stack: ExitStack
    end_seconds: float = END_SECONDS
    opened: dict[FileName, BinaryIO] = field(default_factory=dict)

    def open_new(self) -> None:
        """Open what is there by now; raises FileNotFoundError if it goes away meanwhile."""
        if self.until is not None and self.until <= self.start:
            return
        for name in logs_behind((path.name for path in self.folder.iterdir()), self.start):
            is_wanted = self.until is None or name.zxid <= self.until
            if is_wanted and name not in self.opened:
                file = (self.folder / name.text).open("rb", buffering=0)
                self.opened[name] = cast(BinaryIO, self.stack.enter_context(file))

    def pass_on(self, outbox: Outbox) -> Iterator[tuple[ReadLog, BackupFile | None]]:
        """Write each log to the store, in order; one without a wanted transaction is left out."""
        done: set[FileName] = set()
        while left := [name for name in self.opened if name not in done]:
            name = min(left, key=lambda name: name.zxid)
            file = self.opened[name]
            writer = outbox.object(name.text, size_of(file))
            read = ReadLog(name, self._read(name, PassedLog(file, writer, self.until)))
            if read.last > self.start:
                yield read, writer.finish()
            else:
                writer.drop()
                yield read, None
            done.add(name)
            self.open_new()

    def transaction(self, name: FileName, record: Record) -> Transaction:
        """Return one transaction of a log that was read."""
        file = self.opened[name]
        file.seek(record.offset + FRAME.size)
        payload = b""
        while len(payload) < record.length and (data := file.read(record.length - len(payload))):
            payload += data
        return decode(record, payload)

    def _read(self, name: FileName, log: PassedLog) -> LogSummary:
        """Read a log up to the wanted end, which may not be on this disk yet."""
        summary = log.read_on()
        if self.until is None:
            return summary
        seconds = min(self.end_seconds, END_SECONDS if self.until & _COUNT else SETTLE_SECONDS)
        deadline = time.monotonic() + seconds
        while not self._is_reached(summary) and time.monotonic() < deadline:
            self.open_new()
            if any(other.zxid > name.zxid for other in self.opened):
                # All of this log was written before the next one was made.
                return log.read_on()
            time.sleep(POLL_SECONDS)
            summary = log.read_on()
        return summary

    def _is_reached(self, summary: LogSummary) -> bool:
        if summary.end is None:
            return True
        return bool(summary.runs) and self.until is not None and summary.runs[-1].last >= self.until


def size_of(file: BinaryIO) -> int:
    """Return the size of a file that may have no name any more, and go to its beginning."""
    size = file.seek(0, 2)
    file.seek(0)
    return size
