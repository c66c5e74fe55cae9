"""Reading a server's file and passing its bytes on, in one go: it is read and checked only once.

Of a log only complete transactions are passed on, so what arrives is a log of its own: without the
zeros that servers allocate ahead, and without what came later than it should.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import BinaryIO, cast

from functions.backups.parts import Writable
from functions.persistence.damage import Damaged
from functions.persistence.log_end import LogEnd, log_end
from functions.persistence.log_summary import LogSummary, Run, summarize
from functions.persistence.snapshot import Snapshot
from functions.persistence.snapshot_summary import SnapshotSummary, summarize_snapshot
from functions.persistence.txn_log import TxnLog
from functions.persistence.zxid import follows

BLOCK = 1 << 20
# More than any transaction: what has not been completed by then is a damaged length.
LARGEST = 64 << 20


def pass_snapshot(
    file: BinaryIO, compression: str, to: Writable, *, with_digest: bool = True
) -> SnapshotSummary:
    """Pass a whole snapshot on; raises Damaged if it is not as it was written."""
    passed = _Passed(file, to)
    snapshot = Snapshot(cast(BinaryIO, passed), compression)
    summary = summarize_snapshot(snapshot, with_digest=with_digest)
    # A packed one may end before its file does.
    while passed.read(BLOCK):
        pass
    return summary


class _Passed:
    """A stream whose bytes go on as they are read."""

    def __init__(self, file: BinaryIO, to: Writable) -> None:
        self._file = file
        self._to = to

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        if data:
            self._to.write(data)
        return data


class PassedLog:
    """A log that is passed on up to a transaction, and may grow meanwhile."""

    def __init__(self, file: BinaryIO, to: Writable, until: int | None) -> None:
        self._held = _Held(file, to, lambda: self._log.offset)
        self._log = _Log(file, self._held)
        self._until = until
        self.summary: LogSummary | None = None

    def read_on(self) -> LogSummary:
        """Pass on what there is by now; return what was passed on since the beginning."""
        if self.summary is not None and self.summary.end is None:
            return self.summary
        more = summarize(self._log, self._until)
        self.summary = more if self.summary is None else _joined(self.summary, more)
        self._held.pass_on(self.summary.size)
        return self.summary


class _Log(TxnLog):
    """A log read through `held`, whose end is looked at past it."""

    def __init__(self, file: BinaryIO, held: _Held) -> None:
        super().__init__(cast(BinaryIO, held), block=BLOCK)
        self._raw = file

    def end(self) -> LogEnd:
        return log_end(self._raw, self.offset, BLOCK)


class _Held:
    """A file whose bytes are held until it is known that they are complete transactions."""

    def __init__(self, file: BinaryIO, to: Writable, complete: Callable[[], int]) -> None:
        self._file = file
        self._to = to
        self._complete = complete  # The offset up to which the log was read.
        self._passed = 0
        self._pieces: deque[memoryview] = deque()
        self._size = 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int) -> int:
        """Go on behind the last complete transaction, where a log is begun again: all before it
        was passed on."""
        self._pieces.clear()
        self._size = 0
        return self._file.seek(offset)

    def read(self, size: int, /) -> bytes:
        self.pass_on(self._complete())
        data = self._file.read(size)
        if data:
            self._pieces.append(memoryview(data))
            self._size += len(data)
        if self._size > LARGEST:
            raise Damaged(f"a transaction of more than {LARGEST} bytes, or a damaged length")
        return data

    def pass_on(self, offset: int) -> None:
        """Pass on all bytes before `offset`."""
        while self._passed < offset:
            piece = self._pieces.popleft()
            size = min(len(piece), offset - self._passed)
            self._to.write(piece[:size])
            if size < len(piece):
                self._pieces.appendleft(piece[size:])
            self._size -= size
            self._passed += size


def _joined(before: LogSummary, more: LogSummary) -> LogSummary:
    """Return the summary of a log that was read in two goes."""
    runs = before.runs + more.runs
    if before.runs and more.runs and follows(more.runs[0].first, before.runs[-1].last):
        both = Run(before.runs[-1].first, more.runs[0].last)
        runs = (*before.runs[:-1], both, *more.runs[1:])
    newest = more.newest or before.newest
    transactions = before.transactions + more.transactions
    return LogSummary(runs, transactions, more.size, more.end, newest)
