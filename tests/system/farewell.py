"""What a client meets at a server's address, from before its end until after it, as JSON.

`python -m tests.system.farewell ADDRESS` runs inside the platform's network: it says "watching"
after the first answer, and ends when the address is gone, so that nobody even refuses.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections import Counter

PORT = 2181
# A live machine answers in a fraction of a millisecond.
PATIENCE = 0.5
DEADLINE_SECONDS = 60.0


def main(address: str) -> None:
    begun = time.monotonic()
    met: Counter[str] = Counter()
    refused_at = 0.0
    while time.monotonic() - begun < DEADLINE_SECONDS:
        answer = _knock(address)
        if answer == "accepted" and not met:
            print("watching", flush=True)  # noqa: T201 (its only output)
        if answer == "refused" and not refused_at:
            refused_at = time.monotonic()
        if answer == "nothing":
            break
        met[answer] += 1
        time.sleep(0.01)
    refused = time.monotonic() - PATIENCE - refused_at if refused_at else 0.0
    print(json.dumps({**met, "refused_seconds": refused}))  # noqa: T201


def _knock(address: str) -> str:
    try:
        with socket.create_connection((address, PORT), timeout=PATIENCE):
            return "accepted"
    except ConnectionError:
        return "refused"
    except OSError:
        return "nothing"


if __name__ == "__main__":
    main(sys.argv[1])
