"""Transaction numbers: an epoch (32 bits) and a count within it that starts at 1."""

from __future__ import annotations

_COUNT_BITS = 32
_COUNT = (1 << _COUNT_BITS) - 1


def epoch(zxid: int) -> int:
    """Return the epoch of the leader that proposed the transaction."""
    return zxid >> _COUNT_BITS


def follows(zxid: int, before: int) -> bool:
    """Say whether `zxid` can be the transaction right behind `before`.

    Within an epoch the numbers count up by one, errors and sessions included. A new leader begins
    a higher epoch with 1; epochs may pass without a transaction. (Zero is the epoch's own number:
    a snapshot may carry it, a transaction never does.) How far the epoch before went cannot be
    seen from numbers; the tree digests in the transactions tell it.
    """
    if epoch(zxid) == epoch(before):
        return zxid == before + 1
    return epoch(zxid) > epoch(before) and zxid & _COUNT == 1
