"""Reading a snapshot: its sessions, its ACLs, then node after node, and what seals it.

A snapshot (ZooKeeper's FileSnap) is a header (`ZKSN`, version, database id), the sessions with
their timeouts, the ACLs by number, the nodes from the root down (path, data, ACL's number, stored
numbers), the path "/" as the end, and a seal: the Adler32 of all before it, and "/" once more. From
3.6 on a tree digest follows with a seal of its own, from 3.9 on the last zxid with another. Each
can be switched off; a seal's sum counts the seals before it.

A snapshot is fuzzy: it is written while transactions go on, and holds all up to the zxid in its
name and some of those after. Only the log makes it a state that ever was.

Sessions and ACLs are held; of the nodes one at a time, and a block of the file. Every byte is
checked; where gzip packed it, a byte may change that changes nothing of what was packed.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from functions.persistence.block_reader import BLOCK, LARGEST, BlockReader
from functions.persistence.compression import plain
from functions.persistence.damage import Damaged
from functions.persistence.jute import Acl, Archive
from functions.persistence.stat import STAT

MAGIC = b"ZKSN"
VERSION = 2
_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")
_AFTER_DATA = _LONG.size + STAT.size
_END = b"/"
_LEAST = 5  # The end marker is shorter than any node.
_SEAL_END = b"\x00\x00\x00\x01/"
_SEAL_BYTES = 8 + len(_SEAL_END)
_DIGEST_BYTES = 20 + _SEAL_BYTES
_ZXID_BYTES = 8 + _SEAL_BYTES
_ABSENT = -1
_NOTHING = b"\0"  # No path: what comes before the root.
OPEN_TO_ALL = -1
OPEN_ACL = (Acl(31, "world", "anyone"),)


# A node as it lies in the file: path (the root's is empty), data, ACL's number, stored numbers. A
# bare tuple, because there are millions of them.
StoredNode = tuple[bytes, bytes | None, int, bytes]


class TreeDigest(NamedTuple):
    """The digest of the whole tree right after a transaction."""

    zxid: int
    version: int
    digest: int


@dataclass(frozen=True, slots=True)
class Trailer:
    """What a snapshot says behind its nodes about the moment its writing ended."""

    digest: TreeDigest | None
    last_zxid: int | None


class Snapshot:
    """A snapshot being read; raises `Damaged` at the first thing that is not as it was written."""

    def __init__(
        self, file: BinaryIO, compression: str = "", *, block: int = BLOCK, largest: int = LARGEST
    ) -> None:
        self._reader = BlockReader(plain(file, compression), block, largest)
        archive = Archive(self._reader.take)
        self._read_header(archive)
        self.sessions = {archive.long(): archive.number() for _ in range(archive.count())}
        self.acls = {archive.long(): archive.acls() for _ in range(archive.count())}
        self.trailer: Trailer | None = None  # Known once all nodes have been read.

    def acl(self, number: int) -> tuple[Acl, ...] | None:
        """Return a node's ACL; None for one that was made while the snapshot was written."""
        return OPEN_ACL if number == OPEN_TO_ALL else self.acls.get(number)

    def __iter__(self) -> Iterator[StoredNode]:
        """Yield the nodes once, parents before children, and check the seals behind them."""
        before = parent_before = _NOTHING
        for node in self._nodes():
            path = node[0]
            parent = path.rpartition(b"/")[0]
            # From the root down, so a node's parent is the node before it or above that one.
            is_known = parent == parent_before or (before + b"/").startswith(parent + b"/")
            if path and not is_known:
                raise Damaged(f"the parent of {path.decode(errors='replace')} is missing")
            before, parent_before = path, parent
            yield node
        self.trailer = self._read_trailer()
        if before is _NOTHING:
            raise Damaged("it has not even a root")

    def _nodes(self) -> Iterator[StoredNode]:
        while not (yield from self._nodes_at_hand()):
            self._reader.read_on()

    def _nodes_at_hand(self) -> Generator[StoredNode, None, bool]:
        """Yield the nodes that are read already; return whether the end marker is behind them.

        This is the loop that decides how fast a snapshot is read.
        """
        reader, number, long = self._reader, _INT.unpack_from, _LONG.unpack_from
        data, at, size = reader.data, reader.at, len(reader.data)
        while at + _LEAST <= size:
            path_at = at + 4
            path_end = path_at + number(data, at)[0]
            if path_end < path_at:
                raise _damaged(path_end - path_at)
            path = data[path_at:path_end]
            if path == _END and path_end <= size:
                reader.at = path_end
                return True
            if path_end + 4 > size:
                break
            (length,) = number(data, path_end)
            start = stop = path_end + 4
            if length > 0:
                stop += length
            elif length < _ABSENT:
                raise _damaged(length)
            if stop + _AFTER_DATA > size:
                break
            content = data[start:stop] if length >= 0 else None
            at = stop + _AFTER_DATA
            yield path, content, long(data, stop)[0], data[stop + 8 : at]
        reader.at = at
        return False

    def _read_header(self, archive: Archive) -> None:
        if self._reader.take(4) != MAGIC:
            raise Damaged("this is no snapshot: it does not begin with ZKSN")
        if (version := archive.number()) != VERSION:
            raise Damaged(f"snapshots of version {version} are not known, only of {VERSION}")
        archive.long()

    def _read_trailer(self) -> Trailer:
        self._check_seal()
        left = self._reader.left(_DIGEST_BYTES + _ZXID_BYTES + 1)
        if left not in (0, _DIGEST_BYTES, _ZXID_BYTES, _DIGEST_BYTES + _ZXID_BYTES):
            raise Damaged("the file is cut or goes on behind its seal")
        digest, last_zxid, archive = None, None, Archive(self._reader.take)
        if left >= _DIGEST_BYTES:
            digest = TreeDigest(archive.long(), archive.number(), archive.long())
            self._check_seal()
        if left in (_ZXID_BYTES, _DIGEST_BYTES + _ZXID_BYTES):
            last_zxid = archive.long()
            self._check_seal()
        # A server that has processed nothing since its start writes an empty digest.
        return Trailer(digest if digest and digest.zxid else None, last_zxid)

    def _check_seal(self) -> None:
        checksum = self._reader.checksum()
        if Archive(self._reader.take).long() != checksum:
            raise Damaged("the checksum does not fit: the file was changed after it was written")
        if self._reader.take(len(_SEAL_END)) != _SEAL_END:
            raise Damaged("a seal does not end as it should")


def _damaged(length: int) -> Damaged:
    return Damaged(f"a length of {length}")
