"""The names of ZooKeeper's files: `log.<zxid>`, `snapshot.<zxid>`, in hexadecimal.

A log is named after its first transaction, a snapshot after the last one that it holds for sure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LOG = "log"
SNAPSHOT = "snapshot"
# What a compressed snapshot begins with, by the ending of its name.
MAGIC = {"gz": b"\x1f\x8b", "snappy": b"\x82SNAPPY\x00"}
_NAME = re.compile(r"(log|snapshot)\.([0-9a-f]{1,16})(?:\.(gz|snappy))?")


@dataclass(frozen=True, slots=True)
class FileName:
    text: str
    kind: str
    zxid: int
    compression: str = ""  # "", "gz" or "snappy"; only snapshots are ever compressed.


def parse(text: str) -> FileName | None:
    """Return what a name says; None for a file that is neither a log nor a snapshot."""
    found = _NAME.fullmatch(text)
    if found is None or (found[1] == LOG and found[3]):
        return None
    return FileName(text, found[1], int(found[2], 16), found[3] or "")
