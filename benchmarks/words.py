"""Asking a ZooKeeper server by four-letter words; one that does not answer says nothing."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress

CLIENT_PORT = 2181
ASK_SECONDS = 1.0
POLL_SECONDS = 0.02
DEADLINE_SECONDS = 180.0


class TooLate(Exception):
    """What was waited for did not come."""


def ask(host: str, word: str, port: int = CLIENT_PORT) -> str:
    answer = b""
    with suppress(OSError), socket.create_connection((host, port), timeout=ASK_SECONDS) as asked:
        asked.sendall(word.encode())
        while more := asked.recv(4096):
            answer += more
    return answer.decode()


def mode(host: str, port: int = CLIENT_PORT) -> str:
    """Return leader, follower or observer; empty while the server does not serve in a quorum."""
    found = re.search(r"^Mode: (\w+)", ask(host, "srvr", port), re.MULTILINE)
    return found[1] if found else ""


def members(host: str) -> frozenset[int]:
    """Return the ids of the committed member list, as this server knows it."""
    return member_list(host)[1]


def member_list(host: str, port: int = CLIENT_PORT) -> tuple[int, frozenset[int]]:
    """Return the list's version and its ids; -1 and none when the server does not answer."""
    said = ask(host, "conf", port)
    version = re.search(r"^version=([0-9a-f]+)$", said, re.MULTILINE)
    ids = re.findall(r"^server\.(\d+)=", said, re.MULTILINE)
    return int(version[1], 16) if version else -1, frozenset(map(int, ids))


def address(host: str) -> str:
    """Return what the name stands for now; a re-created pod has a new address."""
    try:
        return socket.gethostbyname(host)
    except OSError:
        return ""


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for it, looking often; raises TooLate."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TooLate(f"not within {DEADLINE_SECONDS:.0f} s: {what}")
        time.sleep(POLL_SECONDS)
