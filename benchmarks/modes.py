"""Print when each server first serves in a quorum: `python -m benchmarks.modes PORT SERVER...`.

It runs inside the platform's network and says "watching" once it looks, so that its own start does
not count; the times are of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import sys
import time

from benchmarks.words import DEADLINE_SECONDS, POLL_SECONDS, mode


def main(port: int, servers: list[str]) -> int:
    """Return 0 once all serve; 1 with the names of those that do not in time."""
    print("watching", flush=True)
    waiting = list(servers)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while waiting and time.monotonic() < deadline:
        for server in tuple(waiting):
            if mode(server, port):
                print(f"{time.monotonic()} {server}", flush=True)
                waiting.remove(server)
        time.sleep(POLL_SECONDS)
    if waiting:
        print(f"not serving after {DEADLINE_SECONDS:.0f} s: {', '.join(waiting)}", file=sys.stderr)
    return 1 if waiting else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
