"""A container's output: written line by line with its time, and read back for `kubectl logs`.

Each line on disk is `<time> <stdout|stderr> <F|P> <text>`, the format container runtimes use.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

LONGEST_LINE = 16 * 1024
FOLLOW_SECONDS = 0.1


def rfc3339_nano(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


class LogWriter:
    """Turns the bytes of two streams into dated lines of one file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("ab", buffering=0)

    async def copy(self, stream: asyncio.StreamReader, name: str) -> None:
        """Write everything that arrives until the stream ends."""
        rest = b""
        while chunk := await stream.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            self._write(name, [(line, b"F") for line in lines])
            while len(rest) > LONGEST_LINE:
                self._write(name, [(rest[:LONGEST_LINE], b"P")])
                rest = rest[LONGEST_LINE:]
        if rest:
            self._write(name, [(rest, b"F")])

    def _write(self, name: str, lines: Iterable[tuple[bytes, bytes]]) -> None:
        head = f"{rfc3339_nano(datetime.now(UTC))} {name} ".encode()
        if text := b"".join(head + tag + b" " + line + b"\n" for line, tag in lines):
            self._file.write(text)

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What `kubectl logs` can ask for."""

    follow: bool = False
    tail: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    limit: int | None = None

    @classmethod
    def from_query(cls, query: dict[str, str], now: datetime) -> LogOptions:
        since = None
        if seconds := query.get("sinceSeconds"):
            since = now - timedelta(seconds=int(seconds))
        elif moment := query.get("sinceTime"):
            since = datetime.fromisoformat(moment.replace("Z", "+00:00"))
        return cls(
            follow=query.get("follow") == "true",
            tail=int(query["tailLines"]) if "tailLines" in query else None,
            since=since,
            timestamps=query.get("timestamps") == "true",
            limit=int(query["limitBytes"]) if "limitBytes" in query else None,
        )


def shown(line: bytes, options: LogOptions) -> bytes:
    """What the reader sees of one line on disk; nothing when it is too old."""
    moment, _, tagged = line.partition(b" ")
    _, _, tagged = tagged.partition(b" ")
    tag, _, text = tagged.partition(b" ")
    if options.since and datetime.fromisoformat(moment.decode()[:26] + "+00:00") < options.since:
        return b""
    start = moment + b" " if options.timestamps else b""
    return start + text + (b"" if tag == b"P" else b"\n")


async def read(
    path: Path, options: LogOptions, still_written: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield what was logged, and with `follow` what comes, while the container lives."""
    left = options.limit
    async for chunk in _chunks(path, options, still_written):
        piece = chunk if left is None else chunk[:left]
        if piece:
            yield piece
        if left is not None:
            left -= len(piece)
            if left <= 0:
                return


async def _chunks(
    path: Path, options: LogOptions, still_written: Callable[[], bool]
) -> AsyncIterator[bytes]:
    with path.open("rb") as file, contextlib.suppress(asyncio.CancelledError):
        lines = file.read().splitlines()
        kept = lines if options.tail is None else lines[max(len(lines) - options.tail, 0) :]
        yield b"".join(shown(line, options) for line in kept)
        rest = b""
        while options.follow:
            alive = still_written()
            *lines, rest = (rest + file.read()).split(b"\n")
            yield b"".join(shown(line, options) for line in lines)
            if not alive:
                return
            await asyncio.sleep(FOLLOW_SECONDS)


def last_text(path: Path, longest: int = 2048, lines: int = 80) -> str:
    """The end of a log, for a termination message taken from it."""
    if not path.exists():
        return ""
    written = path.read_bytes().splitlines()[-lines:]
    text = b"".join(shown(line, LogOptions()) for line in written)
    return text[-longest:].decode(errors="replace")
