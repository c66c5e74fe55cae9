"""Write one znode and read it from every server: `python -m local.znode CLIENT PORT SERVER...`.

It runs inside the platform's network, where the cluster's names resolve.
"""

from __future__ import annotations

import socket
import sys
import uuid

from kazoo.client import KazooClient

SECONDS = 20
PATH = "/demo"


def main(client: str, port: str, servers: list[str]) -> int:
    """Return 0 when every server has what was written; print one line each."""
    written = uuid.uuid4().hex
    host, _, service_port = client.partition(":")
    with _Session(host, service_port) as session:
        session.ensure_path(PATH)
        session.set(PATH, written.encode())
        print(f"wrote {PATH} through {client}")
    for server in servers:
        with _Session(server, port) as session:
            session.sync(PATH)
            found, stat = session.get(PATH)
        if found.decode() != written:
            print(f"{server} has {found.decode()!r} instead of {written!r}", file=sys.stderr)
            return 1
        print(f"read {PATH} from {server.partition('.')[0]} (zxid 0x{stat.mzxid:x})")
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
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
