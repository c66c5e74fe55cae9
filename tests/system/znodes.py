"""A ZooKeeper client of the system tests; runs inside the platform's network.

`znodes.py write HOSTS PATH VALUE` sets a znode through one session;
`znodes.py read PATH HOST...` prints what each server by itself has there, as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from kazoo.client import KazooClient

SECONDS = 15


def write(hosts: str, path: str, value: str) -> None:
    with session(hosts) as client:
        client.ensure_path(path)
        client.set(path, value.encode())


def read(path: str, *hosts: str) -> None:
    found = {}
    for host in hosts:
        with session(host) as client:
            client.sync(path)
            found[host] = client.get(path)[0].decode()
    print(json.dumps(found))  # noqa: T201 (its only output)


@contextmanager
def session(hosts: str) -> Iterator[KazooClient]:
    client = KazooClient(hosts=hosts, timeout=SECONDS)
    client.start(timeout=SECONDS)
    try:
        yield client
    finally:
        client.stop()
        client.close()


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(*sys.argv[2:])
    else:
        read(*sys.argv[2:])
