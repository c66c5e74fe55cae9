"""What a transaction log holds, in a few numbers: enough to copy it and to judge a set of files."""

from __future__ import annotations

from dataclasses import dataclass, field

from functions.persistence.damage import Damaged
from functions.persistence.log_end import LogEnd
from functions.persistence.txn_log import Place, Record, TxnLog, record_at
from functions.persistence.zxid import follows

_MOST_RUNS = 1000


@dataclass(frozen=True, slots=True)
class Run:
    """Transactions of one log in an unbroken sequence, both ends included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class LogSummary:
    """A log up to where it was read: an unbroken log has one run, an empty one none."""

    runs: tuple[Run, ...]
    transactions: int
    size: int  # The bytes from the start of the file that hold its complete transactions.
    end: LogEnd | None  # Why nothing more was read; None when a newer transaction follows.
    newest: Record | None = field(default=None, compare=False)  # The last one that counts.


def summarize(log: TxnLog, until: int | None = None) -> LogSummary:
    """Read a log to its end, or to the last transaction that is not newer than `until`.

    The first `size` bytes of the file are a log of their own with exactly these transactions. The
    end of a file that is being written is read a moment after the rest: read it again if it is
    not sound.
    """
    runs: list[Run] = []
    first = last = transactions = 0
    newest: Place | None = None
    for place in log.places():
        zxid = place[0]
        if until is not None and zxid > until:
            return _summary((runs, first, last), transactions, place[1], None, newest)
        if not transactions:
            first = zxid
        # Nearly all count up by one; asking the rule in full costs a call.
        elif zxid != last + 1 and not follows(zxid, last):
            runs = [*_with(runs, first, last)]
            first = zxid
        last = zxid
        newest = place
        transactions += 1
    return _summary((runs, first, last), transactions, log.offset, log.end(), newest)


def _summary(
    numbers: tuple[list[Run], int, int],
    transactions: int,
    size: int,
    end: LogEnd | None,
    newest: Place | None,
) -> LogSummary:
    last = None if newest is None else record_at(newest)
    return LogSummary(_with(*numbers), transactions, size, end, last)


def _with(runs: list[Run], first: int, last: int) -> tuple[Run, ...]:
    if len(runs) > _MOST_RUNS:
        raise Damaged("the log's transactions are in no order at all")
    return (*runs, Run(first, last)) if last else tuple(runs)
