"""The digest of a tree, as servers write it into snapshots and transactions (DigestCalculator 2).

It is the sum, in 64 bits, of one CRC32 per node over its path, data and stored numbers. Nodes
below /zookeeper are left out, because servers change some of them on their own. ACLs are not in it.
"""

from __future__ import annotations

import zlib

DIGEST_VERSION = 2
_LEFT_OUT = b"/zookeeper/"
_MASK = (1 << 64) - 1


def node_digest(path: bytes, data: bytes | None, stat: bytes) -> int:
    """Return a node's part in the digest; `stat` is as it is stored, the root's path is empty."""
    if path.startswith(_LEFT_OUT):
        return 0
    # The stored order but for the last number, pzxid, which comes third.
    return zlib.crc32(b"".join((path, data or b"", stat[:16], stat[52:], stat[16:52])))


def tree_digest(total: int) -> int:
    """Return a sum of node digests in the range that servers write: signed, 64 bits."""
    total &= _MASK
    return total - (1 << 64) if total >> 63 else total
