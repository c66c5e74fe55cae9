"""What the proof of a backup says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from functions.backups.manifest import Manifest


class Depth(StrEnum):
    """How deep a proof goes (`functions.backups.proof`)."""

    FILES = "files"
    TREE = "tree"


@dataclass(frozen=True, slots=True)
class ProvenFile:
    """A file to restore; only its first `size` bytes count: what follows is allocated, or cut."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Proof:
    """A backup that holds one complete state, and how far that was proven."""

    name: str  # The folder, or the key in the store; it ends with a slash.
    manifest: Manifest | None
    snapshot: ProvenFile
    logs: tuple[ProvenFile, ...]  # In their order.
    epoch_files: tuple[ProvenFile, ...]
    snapshot_zxid: int
    reaches: int  # The snapshot holds parts of what came up to here: from there on it is a state.
    zxid: int  # The last transaction.
    epoch: int  # No server may start with these files and a lower one.
    nodes: int  # In the snapshot; after the last transaction at depth `tree`.
    depth: Depth
    digests: int  # How many tree digests were found to fit.
    checksum: str = ""  # The manifest's SHA-256.
    warnings: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[ProvenFile, ...]:
        """Everything that belongs to the state; what else lies there does not."""
        return (self.snapshot, *self.logs, *self.epoch_files)

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)
