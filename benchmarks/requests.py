"""The functions' requests to the API server, counted while they are made."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from benchmarks.running import NAMESPACE
from local.audit import READS, SERVICE_ACCOUNT

FUNCTIONS = f"{SERVICE_ACCOUNT}{NAMESPACE}:"
RESYNC = "resync"


@dataclass(slots=True)
class Requests:
    """What was asked so far, read on from where the audit log ended last.

    `last` is when a function asked last, in Unix time: resync aside, which looks every 15 seconds
    whatever else goes on.
    """

    logs: Path
    reads: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    last: float = 0.0
    _read_to: dict[int, int] = field(default_factory=dict)

    def follow(self) -> None:
        """Take in what was added; a file that was renamed goes on as itself."""
        for path in sorted(self.logs.glob("audit*.log")):
            with suppress(FileNotFoundError):
                self._follow(path)

    def _follow(self, path: Path) -> None:
        with path.open("rb") as log:
            stat = path.stat()
            begin = self._read_to.get(stat.st_ino, 0)
            # Another file, which got the number of one that was removed.
            begin = begin if begin <= stat.st_size else 0
            log.seek(begin)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                begin += len(line)
                self._take(line)
            self._read_to[stat.st_ino] = begin

    def _take(self, line: bytes) -> None:
        if FUNCTIONS.encode() not in line:
            return
        entry = json.loads(line)
        user = entry["user"].get("username", "")
        if not user.startswith(FUNCTIONS):
            return
        function = user.removeprefix(FUNCTIONS)
        (self.reads if entry["verb"] in READS else self.writes)[function] += 1
        if function != RESYNC:
            at = datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp()
            self.last = max(self.last, at)
