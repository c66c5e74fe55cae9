"""What a node carries besides its data, as it is stored: ZooKeeper's `StatPersisted`."""

from __future__ import annotations

import struct
from typing import NamedTuple

STAT = struct.Struct(">qqqqiiiqq")
CONTAINER_OWNER = -(1 << 63)
_TTL_MASK = 0xFF << 56


class Stat(NamedTuple):
    """The stored numbers of a node.

    `cversion` counts the children ever created; a client is shown twice that, less the children
    there are. `owner` is a session's id, or marks a container or a node with a time to live.
    """

    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    cversion: int
    aversion: int
    owner: int
    pzxid: int


def stat_of(content: bytes) -> Stat:
    return Stat._make(STAT.unpack(content))


def ttl_owner(milliseconds: int) -> int:
    """Return the owner that marks a node with a time to live."""
    return (_TTL_MASK | milliseconds) - (1 << 64)


def is_session(owner: int) -> bool:
    """Say whether a node is ephemeral: owned by a session.

    Servers with extended types have ids up to 254, so no session of theirs looks like a mark.
    """
    return owner != 0 and owner != CONTAINER_OWNER and owner & _TTL_MASK != _TTL_MASK
