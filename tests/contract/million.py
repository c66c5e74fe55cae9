"""A million nodes of which everything is known without keeping it: made, and looked at again.

What a node holds follows from its number; its transaction and time are those of the multi-operation
that made it, and there are few of those.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from kazoo.client import KazooClient
from kazoo.security import make_digest_acl

from functions.persistence.data_tree import Node
from functions.persistence.jute import Acl
from functions.persistence.snapshot import OPEN_ACL
from functions.persistence.stat import Stat
from tests.contract.data_set import OPEN

ROOT = "/million"
NODES = 1_000_000
FOLDER = 1000  # So many nodes are children of one.
AT_ONCE = 500  # So many are made by one transaction.
WRITERS = 4
# Nodes that are changed again by the transaction that makes them, and that are not open to all.
EVERY_CHANGED, EVERY_CLOSED = 10, 7
_CLOSED = [make_digest_acl(f"user-{user}", "pw", all=True) for user in range(5)]


def path_of(number: int) -> str:
    return f"{ROOT}/{number // FOLDER}/{number}"


def number_of(path: str) -> int | None:
    """Return the number of one of the nodes; None for any other path."""
    above, _, number = path.rpartition("/")
    return int(number) if above.startswith(f"{ROOT}/") else None


def _data(number: int, version: int) -> bytes:
    found = hashlib.sha256(f"{number} {version}".encode()).digest() * 4
    return found[: number % 101]


def _acl(number: int) -> list[Any]:
    return OPEN if number % EVERY_CLOSED else [_CLOSED[number % len(_CLOSED)]]


def _version(number: int) -> int:
    return int(number % EVERY_CHANGED == 0)


@dataclass
class Million:
    """The nodes as they were made: by batch the transaction and its time."""

    made: dict[int, tuple[int, int]] = field(default_factory=dict)

    def write(self, client: KazooClient) -> None:
        client.create(ROOT)
        with ThreadPoolExecutor(WRITERS) as pool:
            for end in [pool.submit(self._folder, client, n) for n in range(NODES // FOLDER)]:
                end.result()

    def _folder(self, client: KazooClient, folder: int) -> None:
        first = folder * FOLDER
        for start in range(first, first + FOLDER, AT_ONCE):
            several = client.transaction()
            if start == first:
                several.create(f"{ROOT}/{folder}")
            for number in range(start, start + AT_ONCE):
                several.create(path_of(number), _data(number, 0), acl=_acl(number))
                if _version(number):
                    several.set_data(path_of(number), _data(number, 1))
            several.commit()
            stat = client.exists(path_of(start))
            self.made[start // AT_ONCE] = (stat.czxid, stat.ctime)

    @property
    def last(self) -> int:
        """The last transaction that made some of them."""
        return max(zxid for zxid, _ in self.made.values())

    def node(self, number: int) -> Node:
        """Return all that a node is."""
        zxid, time = self.made[number // AT_ONCE]
        version = _version(number)
        stat = Stat(zxid, zxid, time, time, version, 0, 0, 0, zxid)
        acl = (
            OPEN_ACL
            if number % EVERY_CLOSED
            else tuple(Acl(each.perms, each.id.scheme, each.id.id) for each in _acl(number))
        )
        return Node(_data(number, version), acl, stat)

    def folder(self, folder: int) -> Node:
        """Return all that the parent of a thousand nodes is."""
        first = folder * FOLDER // AT_ONCE
        zxid, time = self.made[first]
        last, _ = self.made[first + FOLDER // AT_ONCE - 1]
        # Without data kazoo sends none, which is kept as nothing.
        return Node(b"", OPEN_ACL, Stat(zxid, zxid, time, time, 0, FOLDER, 0, 0, last))
