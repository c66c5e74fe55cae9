"""A continuous writer: clients that write, remember what was acknowledged, and check it afterwards.

`python tests/system/writer.py write HOSTS FILE` writes until FILE.stop is there, one line per
acknowledged write (path and zxid), then a summary. `... check HOSTS FILE` reads each of them back.
With a CA as the last word they speak TLS, and trust whom it signed.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NodeExistsError, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError

CLIENTS = 3
PAUSE_SECONDS = 0.005
SESSION_SECONDS = 10.0


class Writer(threading.Thread):
    """One client that writes numbered znodes, one after the other."""

    def __init__(self, folder: str, client: KazooClient, out: Any, lock: threading.Lock) -> None:
        super().__init__(daemon=True)
        self.folder, self.client, self.out, self.lock = folder, client, out, lock
        self.acknowledged, self.errors, self.longest, self.last = 0, 0, 0.0, 0.0
        self.stopping = threading.Event()

    def run(self) -> None:
        client = self.client
        client.start(timeout=30)
        client.ensure_path(self.folder)
        self.last = time.monotonic()
        count = 0
        while not self.stopping.is_set():
            count += self._write(client, f"{self.folder}/{count:08d}")
            time.sleep(PAUSE_SECONDS)
        client.stop()
        client.close()

    def _write(self, client: KazooClient, path: str) -> int:
        """Return 1 when this znode is done with: acknowledged, or there from a lost answer."""
        try:
            _, stat = client.create(path, b"x" * 100, include_data=True)
        except NodeExistsError:
            return 1
        except NoNodeError:
            # A restore took the folder away together with all that was written after the backup.
            client.ensure_path(self.folder)
            return 0
        except (KazooException, KazooTimeoutError):
            self.errors += 1
            time.sleep(0.02)
            return 0
        now = time.monotonic()
        self.longest, self.last = max(self.longest, now - self.last), now
        self.acknowledged += 1
        with self.lock:
            self.out.write(f"{path} {stat.czxid}\n")
        return 1


def _client(hosts: str, authority: str) -> KazooClient:
    secure = {"use_ssl": True, "verify_certs": True, "ca": authority} if authority else {}
    return KazooClient(hosts=hosts, timeout=SESSION_SECONDS, **secure)


def write(hosts: str, file: Path, authority: str = "") -> None:
    """Write until there is a file beside it that says stop; the last line is the summary."""
    lock = threading.Lock()
    # Two writers of one ensemble, one after the other, must not meet.
    root = f"/writer-{uuid.uuid4().hex[:8]}"
    with file.open("w", buffering=1) as out:
        writers = [
            Writer(f"{root}/{number}", _client(hosts, authority), out, lock)
            for number in range(CLIENTS)
        ]
        for writer in writers:
            writer.start()
        while not file.with_suffix(".stop").exists():
            time.sleep(0.05)
        for writer in writers:
            writer.stopping.set()
        for writer in writers:
            writer.join(timeout=30)
        summary = {
            "acknowledged": sum(writer.acknowledged for writer in writers),
            "errors": sum(writer.errors for writer in writers),
            "longest_gap": round(max(writer.longest for writer in writers), 3),
        }
        out.write(f"# {json.dumps(summary)}\n")


def check(servers: list[str], file: Path, authority: str = "") -> None:
    """Print, for each server, how many acknowledged writes it does not have."""
    lines = [line.split() for line in file.read_text().splitlines() if line.startswith("/")]
    root = lines[0][0].rpartition("/")[0].rpartition("/")[0]
    lost: dict[str, int] = {}
    for server in servers:
        client = _client(server, authority)
        client.start(timeout=30)
        client.sync(root)
        there = {n: set(client.get_children(f"{root}/{n}")) for n in client.get_children(root)}
        lost[server] = sum(
            path.rpartition("/")[2] not in there.get(path.split("/")[2], ()) for path, _ in lines
        )
        client.stop()
        client.close()
    sys.stdout.write(json.dumps({"written": len(lines), "lost": lost}) + "\n")


if __name__ == "__main__":
    command, hosts, file, *authority = sys.argv[1:]
    if command == "write":
        write(hosts, Path(file), *authority)
    else:
        check(hosts.split(","), Path(file), *authority)
