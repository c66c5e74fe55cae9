"""The tree that a snapshot and the transactions behind it make, as a server rebuilds it.

It holds every node, so it is for proofs, not for copying. Transactions that the snapshot holds
already are applied once more, as `DataTree.processTxn` does: what is there or gone already is
passed over, numbers never go back, and the end is the state right after the last transaction.

Servers change the figures below /zookeeper/quota and the list in /zookeeper/config on their own,
without a transaction: for those nodes the tree is as the files say, not as a server shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from functions.persistence.digest import node_digest, tree_digest
from functions.persistence.jute import Acl, text_of
from functions.persistence.snapshot import Snapshot
from functions.persistence.stat import STAT, Stat, is_session, stat_of
from functions.persistence.txn import (
    Check,
    CloseSession,
    Create,
    CreateSession,
    Delete,
    Failed,
    Multi,
    Operation,
    SetAcl,
    SetData,
    Transaction,
)

_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Node:
    """One node; `acl` is None where only a log that was not read knows it."""

    data: bytes | None
    acl: tuple[Acl, ...] | None
    stat: Stat


class DataTree:
    """Nodes by path; the root's is `/`."""

    def __init__(self, nodes: Iterable[tuple[str, Node]]) -> None:
        self._nodes: dict[str, Node] = {}
        self._ephemerals: dict[int, set[str]] = {}
        self._digest = 0
        self.zxid = 0
        for path, node in nodes:
            self._put(path, node)

    @property
    def nodes(self) -> Mapping[str, Node]:
        return {path or "/": node for path, node in self._nodes.items()}

    @property
    def digest(self) -> int:
        """The digest of the tree, to compare with what servers write beside transactions."""
        return tree_digest(self._digest)

    def apply(self, transaction: Transaction) -> None:
        """Make what one transaction does. A snapshot's tree takes all behind the zxid it names."""
        self._make(transaction.operation, transaction)
        self.zxid = max(self.zxid, transaction.zxid)

    def _make(self, operation: Operation, of: Transaction) -> None:
        match operation:
            case Create():
                self._create(operation, of)
            case Delete(path):
                self._delete(_key(path), of.zxid)
            case SetData(path, data, version):
                self._set_data(_key(path), data, version, of)
            case SetAcl(path, acl, version):
                self._set_acl(_key(path), acl, version)
            case CloseSession(paths):
                self._end_session(paths, of)
            case Multi():
                self._make_all(operation, of)
            case CreateSession() | Check() | Failed():
                pass

    def _make_all(self, multi: Multi, of: Transaction) -> None:
        if not multi.is_failed:
            for part in multi.operations:
                self._make(part, of)

    def _end_session(self, paths: tuple[str, ...], of: Transaction) -> None:
        unsaid = self._ephemerals.pop(of.session, set()) - {*paths}
        for path in (*paths, *unsaid):
            self._delete(_key(path), of.zxid)

    def _create(self, new: Create, of: Transaction) -> None:
        path = _key(new.path)
        parent = self._nodes.get(_parent(path))
        if parent is None:
            return
        there = self._nodes.get(path)
        if there is None:
            self._raise_cversion(path, parent, new.parent_cversion, of.zxid)
            stat = Stat(of.zxid, of.zxid, of.time, of.time, 0, 0, 0, new.owner, of.zxid)
            self._put(path, Node(new.data, new.acl, stat))
        else:
            self._put(path, Node(there.data, new.acl, there.stat))
            # Only the oldest kind of create does so (ZooKeeper's own words: a tricky scenario).
            if new.is_plain:
                self._raise_cversion(path, parent, new.parent_cversion, of.zxid)

    def _raise_cversion(self, path: str, parent: Node, cversion: int, zxid: int) -> None:
        if cversion == _UNKNOWN:
            cversion = parent.stat.cversion + 1
        if cversion > parent.stat.cversion:
            stat = parent.stat._replace(cversion=cversion, pzxid=zxid)
            self._put(_parent(path), Node(parent.data, parent.acl, stat))

    def _delete(self, path: str, zxid: int) -> None:
        parent = self._nodes.get(_parent(path))
        if parent is None:
            return
        if zxid > parent.stat.pzxid:
            stat = parent.stat._replace(pzxid=zxid)
            self._put(_parent(path), Node(parent.data, parent.acl, stat))
        self._remove(path)

    def _set_data(self, path: str, data: bytes | None, version: int, of: Transaction) -> None:
        if (node := self._nodes.get(path)) is not None:
            stat = node.stat._replace(mzxid=of.zxid, mtime=of.time, version=version)
            self._put(path, Node(data, node.acl, stat))

    def _set_acl(self, path: str, acl: tuple[Acl, ...], version: int) -> None:
        if (node := self._nodes.get(path)) is not None:
            self._put(path, Node(node.data, acl, node.stat._replace(aversion=version)))

    def _put(self, path: str, node: Node) -> None:
        self._remove(path)
        self._nodes[path] = node
        self._digest += _digest(path, node)
        if is_session(node.stat.owner):
            self._ephemerals.setdefault(node.stat.owner, set()).add(path)

    def _remove(self, path: str) -> None:
        node = self._nodes.pop(path, None)
        if node is not None:
            self._digest -= _digest(path, node)
            self._ephemerals.get(node.stat.owner, set()).discard(path)


def tree_of(snapshot: Snapshot) -> DataTree:
    """Return the tree of a snapshot, read to its end; raises `Damaged`."""
    return DataTree(_named(snapshot))


def _named(snapshot: Snapshot) -> Iterator[tuple[str, Node]]:
    for path, data, acl_number, stat in snapshot:
        yield text_of(path), Node(data, snapshot.acl(acl_number), stat_of(stat))


def _key(path: str) -> str:
    """Return a path as nodes are kept by: the root's is empty, as in the file."""
    return "" if path == "/" else path


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _digest(path: str, node: Node) -> int:
    return node_digest(path.encode(errors="surrogatepass"), node.data, STAT.pack(*node.stat))
