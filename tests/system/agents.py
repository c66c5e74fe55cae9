"""Looking at agents and servers from inside the platform's network; prints what was found.

`agents.py leader HOST...` waits until one of the servers leads and prints (its address, the time);
`agents.py disk HOST...` prints what each agent reports of its volume, and the server's own zxid;
`agents.py cost SECONDS` prints of each agent here its memory in kB, and the processor time in ms
that it used meanwhile.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

SECONDS = 30.0


def ask(host: str, word: str = "srvr") -> str:
    try:
        with socket.create_connection((host, 2181), timeout=0.5) as connection:
            connection.sendall(word.encode())
            return connection.makefile().read()
    except OSError:
        return ""


def leader(*hosts: str) -> tuple[str, float]:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        for host in hosts:
            if "Mode: leader" in ask(host):
                return host, time.time()
        time.sleep(0.01)
    raise SystemExit("nobody leads")


def disk(*hosts: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for host in hosts:
        with urllib.request.urlopen(f"http://{host}:1988/disk", timeout=SECONDS) as answer:
            zxid = re.search(r"^Zxid: (\S+)$", ask(host), re.MULTILINE)
            found[host] = {**json.load(answer), "server": zxid and zxid[1]}
    return found


def cost(seconds: str) -> list[dict[str, float]]:
    agents = [entry for entry in Path("/proc").iterdir() if is_agent(entry)]
    before = {agent: used(agent) for agent in agents}
    time.sleep(float(seconds))
    return [{**memory(agent), "ms": used(agent) - before[agent]} for agent in agents]


def is_agent(entry: Path) -> bool:
    try:
        words = (entry / "cmdline").read_bytes().split(b"\0")
        return (
            b"functions.pods.agent" in words
            and b"python" in Path(os.fsdecode(words[0])).name.encode()
        )
    except OSError:
        return False


def used(agent: Path) -> float:
    """Return the milliseconds of processor time of all its threads so far."""
    told = [thread.read_text().split()[0] for thread in agent.glob("task/*/schedstat")]
    return sum(map(int, told)) / 1e6


def memory(agent: Path) -> dict[str, float]:
    text = (agent / "smaps_rollup").read_text()
    return {
        name.lower(): int(kilobytes)
        for name, kilobytes in re.findall(r"^(Rss|Pss):\s+(\d+) kB$", text, re.MULTILINE)
    }


WORDS: dict[str, Callable[..., object]] = {"leader": leader, "disk": disk, "cost": cost}

if __name__ == "__main__":
    print(json.dumps(WORDS[sys.argv[1]](*sys.argv[2:])))  # noqa: T201 (its only output)
