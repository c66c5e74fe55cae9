"""Data of every kind in a real ensemble, written while snapshots are taken, and as clients see it.

What is written: deep paths, large nodes, ACLs, containers and nodes with a time to live, sequential
and ephemeral ones, multi-operations that are made and that fail, sessions that end.
"""

from __future__ import annotations

import random
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import RolledBackError
from kazoo.protocol.serialization import Create2, long_struct
from kazoo.security import ACL, Id, make_digest_acl

from functions.persistence.data_tree import Node
from functions.persistence.jute import Acl
from functions.persistence.stat import Stat

OPEN = [ACL(31, Id("world", "anyone"))]
# ACLs that some node always has. Before 3.8.5 and 3.9.4 a server that starts from a snapshot loses
# ACLs that were made while it was written (ZOOKEEPER-4846), and fails the requests that need them.
KEPT_ACLS = 9
_CONTAINER, _PERSISTENT_WITH_TTL = 4, 5


SeenNode = tuple[bytes, tuple[Acl, ...] | None, Stat, int, int]
"""What clients see of a node: data, ACL, numbers, length, how many children."""


class CreateContainer(Create2):  # type: ignore[misc]
    """Kazoo has no request for containers."""

    type = 19


class CreateTtl(namedtuple("CreateTtl", "path data acl flags ttl")):
    """Kazoo has no request for nodes with a time to live."""

    type = 21
    deserialize = Create2.deserialize

    def serialize(self) -> bytes:
        request = Create2(self.path, self.data, self.acl, self.flags).serialize()
        return bytes(request + long_struct.pack(self.ttl))


@contextmanager
def session(hosts: str, password: str = "secret", timeout: float = 20.0) -> Iterator[KazooClient]:
    """A client that may read and write everything."""
    client = KazooClient(hosts=hosts, timeout=timeout, auth_data=[("digest", f"super:{password}")])
    client.start(timeout=30)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def call(client: KazooClient, request: object) -> None:
    result = client.handler.async_result()
    client._call(request, result)
    result.get(timeout=30)


def write_kinds(client: KazooClient) -> None:
    """Write every kind of node and of transaction once."""
    _write_plain(client)
    _write_acls(client)
    _write_special(client)
    _write_multis(client)
    quota = b"count=1000000,bytes=-1"
    client.create("/zookeeper/quota/load/zookeeper_limits", quota, makepath=True)
    client.create("/zookeeper/quota/load/zookeeper_stats", b"count=0,bytes=0")


def _write_plain(client: KazooClient) -> None:
    client.create("/deep/" + "/".join(f"level-{n}" for n in range(40)), b"end", makepath=True)
    client.create("/ünïcode-漢字", "wört".encode())
    for number in range(3):
        client.create(f"/large-{number}", random.randbytes(900_000))
    client.set("/", b"the root's own data")
    call(client, Create2("/absent", None, OPEN, 0))


def _write_acls(client: KazooClient) -> None:
    client.create("/acl", b"", acl=[make_digest_acl("alice", "pw", read=True, write=True), *OPEN])
    client.create("/acl/child", b"x", acl=[make_digest_acl("bob", "pw", all=True)])
    client.set_acls("/acl", [make_digest_acl("carol", "pw", read=True)])
    for number in range(KEPT_ACLS):
        client.create(f"/acl/kept-{number}", acl=_acl(number))
    client.set_acls("/", [*OPEN, make_digest_acl("root", "pw", admin=True)])


def _acl(number: int) -> list[ACL]:
    return [make_digest_acl("user", str(number))]


def _write_special(client: KazooClient) -> None:
    call(client, CreateContainer("/container", b"c", OPEN, _CONTAINER))
    client.create("/container/in-it", b"")
    call(client, CreateTtl("/ttl", b"t", OPEN, _PERSISTENT_WITH_TTL, 86_400_000))
    sequential = [client.create("/sequential-", b"s", sequence=True) for _ in range(5)]
    client.delete(sequential[2])
    client.create("/ephemeral", b"mine", ephemeral=True)


def _write_multis(client: KazooClient) -> None:
    made = client.transaction()
    made.create("/multi", b"1")
    made.create("/multi/child", b"2", ephemeral=True)
    made.set_data("/multi", b"3")
    made.check("/multi", 1)
    made.delete("/multi/child")
    made.commit()
    failing = client.transaction()
    failing.create("/never", b"")
    failing.check("/multi", 99)
    assert isinstance(failing.commit()[0], RolledBackError)


@contextmanager
def written_all_the_time(hosts: str, acls: int = 2 * KEPT_ACLS) -> Iterator[Callable[[], int]]:
    """Keep writing, in sessions that come and go; yields how many requests have been made."""
    writers = 3
    stopped, made = threading.Event(), [0] * writers
    with ThreadPoolExecutor(writers) as pool:
        ends = [pool.submit(_write, hosts, n, made, stopped, acls) for n in range(writers)]
        try:
            yield lambda: sum(made)
        finally:
            stopped.set()
        for end in ends:
            end.result()


def _write(hosts: str, number: int, made: list[int], stopped: threading.Event, acls: int) -> None:
    choose = random.Random(number)
    while not stopped.is_set():
        with session(hosts) as client:
            client.ensure_path(f"/load/{number}")
            for _ in range(20):
                pending = [_request(client, choose, number, acls) for _ in range(50)]
                for each in pending:
                    each.wait(timeout=30)
                made[number] += len(pending)
                if stopped.is_set():
                    break


def _request(client: KazooClient, choose: random.Random, number: int, acls: int) -> Any:
    """Ask for one change; about a third fails, as the node is there or is not."""
    path = f"/load/{number}/{choose.randrange(200)}"
    content = choose.randbytes(choose.choice((0, 10, 100, 20_000)))
    match choose.randrange(8):
        case 0 | 1:
            return client.create_async(path, content)
        case 2:
            return client.create_async(f"{path}-e", content, ephemeral=True, include_data=True)
        case 3:
            return client.delete_async(path)
        case 4:
            return client.set_acls_async(path, _acl(choose.randrange(acls)))
        case 5:
            several = client.transaction()
            several.create(f"{path}-m", content)
            several.set_data(f"/load/{number}", content[:50])
            several.delete(f"{path}-m")
            if choose.randrange(3) == 0:
                several.check(path, 999)
            return several.commit_async()
        case _:
            return client.set_async(path, content)


def as_clients_see(node: Node, children: int) -> SeenNode:
    """Return a node of ours as `seen` returns those of the servers."""
    stat = node.stat
    return (node.data or b"", node.acl, _shown(stat, children), len(node.data or b""), children)


def _shown(stat: Stat, children: int) -> Stat:
    is_marked = stat.owner < 0 and stat.owner >> 56 in (-1, -128)
    return stat._replace(
        cversion=stat.cversion * 2 - children, owner=0 if is_marked else stat.owner
    )


def seen(client: KazooClient) -> dict[str, SeenNode]:
    """Return every node that the ensemble has: data, ACL, stat, length, number of children."""
    found: dict[str, SeenNode] = {}
    paths = ["/"]
    while paths:
        path = paths.pop()
        found[path] = seen_node(client, path)
        paths += [f"{path.rstrip('/')}/{child}" for child in client.get_children(path)]
    return found


def seen_node(client: KazooClient, path: str) -> SeenNode:
    data, stat = client.get(path)
    acls, _ = client.get_acls(path)
    acl = tuple(Acl(each.perms, each.id.scheme, each.id.id) for each in acls)
    shown = Stat(
        stat.czxid,
        stat.mzxid,
        stat.ctime,
        stat.mtime,
        stat.version,
        stat.cversion,
        stat.aversion,
        stat.ephemeralOwner,
        stat.pzxid,
    )
    return data or b"", acl, shown, stat.dataLength, stat.numChildren
