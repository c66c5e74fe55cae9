"""What an ensemble holds, as clients see it; runs inside the platform's network.

`trees.py fill HOSTS PASSWORD` writes every kind of node once, `trees.py dump HOST PASSWORD` prints
each node that lasts with what it is, and `trees.py holds HOST FILE ZXID` compares a continuous
writer's acknowledged writes with what is there up to a transaction.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kazoo.client import KazooClient

from tests.contract.data_set import session, write_kinds

# The member list is each ensemble's own, and writers' nodes are looked at by `holds`.
NOT_COMPARED = ("/zookeeper/config", "/writer-")
AT_ONCE = 200


def fill(hosts: str, password: str) -> None:
    with session(hosts, password) as client:
        write_kinds(client)


def dump(host: str, password: str) -> None:
    """Print path to a digest of data, ACL and numbers, as JSON."""
    with session(host, password) as client:
        client.sync("/")
        print(json.dumps(dict(_nodes(client))))  # noqa: T201 (its only output)


def _nodes(client: KazooClient) -> Iterator[tuple[str, str]]:
    paths = ["/"]
    while paths:
        some, paths = paths[:AT_ONCE], paths[AT_ONCE:]
        asked = [
            (
                path,
                client.get_async(path),
                client.get_acls_async(path),
                client.get_children_async(path),
            )
            for path in some
        ]
        for path, get, acls, children in asked:
            data, stat = get.get(timeout=30)
            below = [f"{path.rstrip('/')}/{child}" for child in children.get(timeout=30)]
            paths += [each for each in below if not each.startswith(NOT_COMPARED)]
            if _lasts(stat):
                yield path, _digest(path, data, stat, acls.get(timeout=30)[0])


def _lasts(stat: Any) -> bool:
    """An ephemeral node ends with its session. The marks of containers and TTLs are no session."""
    return bool(stat.ephemeralOwner <= 0)


def _digest(path: str, data: bytes, stat: Any, acls: Any) -> str:
    """The numbers of a parent also tell of children that came and went with sessions."""
    own = (stat.czxid, stat.mzxid, stat.ctime, stat.mtime, stat.version, stat.aversion)
    text = repr((path, data, own, sorted(map(repr, acls))))
    return hashlib.sha256(text.encode()).hexdigest()


def holds(host: str, file: str, zxid: str) -> None:
    """Print how many acknowledged writes up to `zxid` are missing, and how many later are there."""
    lines = [line.split() for line in Path(file).read_text().splitlines() if line.startswith("/")]
    wanted = {path for path, at in lines if int(at) <= int(zxid, 0)}
    later = {path for path, at in lines if int(at) > int(zxid, 0)}
    folders = {path.rpartition("/")[0] for path in wanted | later}
    with session(host) as client:
        client.sync("/")
        there = {f"{each}/{name}" for each in folders for name in _children(client, each)}
    counts = {"wanted": len(wanted), "missing": len(wanted - there), "later": len(later & there)}
    print(json.dumps(counts))  # noqa: T201 (its only output)


def _children(client: KazooClient, folder: str) -> list[str]:
    return list(client.get_children(folder)) if client.exists(folder) else []


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    match command:
        case "fill":
            fill(*words)
        case "dump":
            dump(*words)
        case _:
            holds(*words)
