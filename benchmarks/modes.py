"""Print when each server first serves in a quorum: `python -m benchmarks.modes PORT SERVER...`.

It runs inside the platform's network and says "watching" once it looks, so that its own start does
not count; the times are of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import suppress

POLL_SECONDS = 0.02
ASK_SECONDS = 1.0
DEADLINE_SECONDS = 180.0


def main(port: int, servers: list[str]) -> int:
    """Return 0 once all serve; 1 with the names of those that do not in time."""
    print("watching", flush=True)
    waiting = list(servers)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while waiting and time.monotonic() < deadline:
        for server in tuple(waiting):
            if _has_mode(server, port):
                print(f"{time.monotonic()} {server}", flush=True)
                waiting.remove(server)
        time.sleep(POLL_SECONDS)
    if waiting:
        print(f"not serving after {DEADLINE_SECONDS:.0f} s: {', '.join(waiting)}", file=sys.stderr)
    return 1 if waiting else 0


def _has_mode(server: str, port: int) -> bool:
    answer = b""
    with suppress(OSError), socket.create_connection((server, port), timeout=ASK_SECONDS) as asked:
        asked.sendall(b"srvr")
        while more := asked.recv(4096):
            answer += more
    return b"\nMode: " in answer


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
