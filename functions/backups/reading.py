"""Reading the files of a backup to their ends: each once, with its sum and what it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import BinaryIO, TypeVar, cast

from functions.backups.manifest import LARGEST, MANIFEST
from functions.backups.sources import Source
from functions.backups.unproven import Unproven
from functions.persistence.complete_set import ReadLog, ReadSnapshot
from functions.persistence.damage import Damaged
from functions.persistence.file_names import FileName
from functions.persistence.log_summary import summarize
from functions.persistence.snapshot import Snapshot
from functions.persistence.snapshot_summary import summarize_snapshot
from functions.persistence.txn_log import TxnLog

Tell = Callable[[int, int], None]
"""Called with the bytes that were read so far, and all there are to read."""

BLOCK = 1 << 20
_LARGEST_EPOCH_FILE = 64

Found = TypeVar("Found")


class BackupReader:
    """Reads the files of one source; raises Unproven for one that is not what it should be."""

    def __init__(self, source: Source, sums: Mapping[str, str], tell: Tell) -> None:
        self._source = source
        self._sums = sums  # By name; a file without one is not compared.
        self._tell = tell
        self._done = 0
        self._total = 0

    def expect(self, size: int) -> None:
        """Say how many bytes there are to read, for whoever is told of the progress."""
        self._total += size
        self._tell(self._done, self._total)

    def snapshot(self, name: FileName) -> ReadSnapshot:
        def read(file: BinaryIO) -> ReadSnapshot:
            return ReadSnapshot(name, summarize_snapshot(Snapshot(file, name.compression)))

        return self._whole(name.text, read)

    def log(self, name: FileName) -> ReadLog:
        return self._whole(name.text, lambda file: ReadLog(name, summarize(TxnLog(file))))

    def epoch(self, name: str) -> int:
        """Return the number in an epoch file; a server that never followed a leader has -1."""
        text = self._whole(name, lambda file: file.read(_LARGEST_EPOCH_FILE)).strip()
        if not text.removeprefix(b"-").isdigit():
            raise Unproven(f"{self._source.name}{name} holds no epoch: it was changed or cut.")
        return int(text)

    def _whole(self, name: str, read: Callable[[BinaryIO], Found]) -> Found:
        place = f"{self._source.name}{name}"
        with self._source.open(name) as opened:
            file = _Summed(opened, self._count)
            try:
                found = read(cast(BinaryIO, file))
            except Damaged as damage:
                raise Unproven(f"{place} is damaged: {damage}.") from damage
            digest = file.digest()
        if digest != self._sums.get(name, digest):
            raise Unproven(f"{place} was changed after it was written: its SHA-256 does not fit.")
        return found

    def _count(self, size: int) -> None:
        self._done += size
        self._tell(self._done, self._total)


class _Summed:
    """A file whose bytes are summed on the way, each once, wherever the reader jumps."""

    def __init__(self, file: BinaryIO, count: Callable[[int], None]) -> None:
        self._file = file
        self._count = count
        self._sum = hashlib.sha256()
        self._summed = 0
        self._at = 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int) -> int:
        self._at = offset
        return self._file.seek(offset)

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        if self._at <= self._summed < self._at + len(data):
            new = memoryview(data)[self._summed - self._at :]
            self._sum.update(new)
            self._summed += len(new)
            self._count(len(new))
        self._at += len(data)
        return data

    def digest(self) -> str:
        """Return the sum of the whole file: of what the reader left out, too."""
        self.seek(self._summed)
        while self.read(BLOCK):
            pass
        return self._sum.hexdigest()


def read_manifest(source: Source) -> bytes:
    with source.open(MANIFEST) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Unproven(f"{source.name}{MANIFEST} is larger than any manifest: it was changed.")
    return content
