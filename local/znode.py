"""Write one znode, or read it from every server: what the demo shows that the ensemble does.

    python -m local.znode write TEXT CLIENT:PORT
    python -m local.znode read TEXT PORT SERVER...

It runs inside the platform's network, where the cluster's names resolve.
"""

from __future__ import annotations

import socket
import sys

from kazoo.client import KazooClient

SECONDS = 20
PATH = "/demo"


def main(words: list[str]) -> int:
    """Do what the words say; return 1 when a server has something else than TEXT."""
    if words[0] == "write":
        return _write(*words[1:])
    return _read(words[1], words[2], words[3:])


def _write(text: str, client: str) -> int:
    host, _, port = client.partition(":")
    with _Session(host, port) as session:
        session.ensure_path(PATH)
        session.set(PATH, text.encode())
    print(f"wrote {PATH} through {client}: {text}")
    return 0


def _read(text: str, port: str, servers: list[str]) -> int:
    for server in servers:
        with _Session(server, port) as session:
            session.sync(PATH)
            found, stat = session.get(PATH)
        if found.decode() != text:
            print(f"{server} has {found.decode()!r} instead of {text!r}", file=sys.stderr)
            return 1
        print(f"read {PATH} from {server.partition('.')[0]} (zxid 0x{stat.mzxid:x}): {text}")
    return 0


class _Session:
    """A client session with a deadline, closed whatever happens."""

    def __init__(self, host: str, port: str) -> None:
        address = socket.gethostbyname(host)
        self._client = KazooClient(hosts=f"{address}:{port}", timeout=SECONDS)

    def __enter__(self) -> KazooClient:
        self._client.start(timeout=SECONDS)
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.stop()
        self._client.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
