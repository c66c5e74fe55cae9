"""What was taken from a server, by whichever method; and its epoch files, which both need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from functions.api.errors import FunctionError
from functions.backups.manifest import EPOCH_FILES, BackupFile
from functions.backups.parts import Outbox

_LARGEST_EPOCH_FILE = 64


class NotTaken(FunctionError):
    """What the server gave makes no state; it goes on changing, so another try may do better."""

    is_final: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What was written, and what state it is; nothing says yet that it is a backup."""

    files: tuple[BackupFile, ...]
    snapshot_zxid: int
    zxid: int
    epoch: int
    nodes: int
    digest: int | None
    quorum: bool


def pass_epochs(folder: Path | None, outbox: Outbox) -> tuple[list[BackupFile], int]:
    """Write the epoch files, if there are any; return them and the highest epoch in them."""
    paths = [folder / name for name in sorted(EPOCH_FILES)] if folder is not None else []
    files, newest = [], 0
    for path in paths:
        if not path.is_file():
            continue
        content = path.read_bytes()[:_LARGEST_EPOCH_FILE]
        if not content.strip().removeprefix(b"-").isdigit():
            raise NotTaken(f"{path} holds no epoch.")
        newest = max(newest, int(content))
        writer = outbox.object(path.name, len(content))
        writer.write(content)
        files.append(writer.finish())
    return files, newest
