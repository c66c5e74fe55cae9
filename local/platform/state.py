"""The state folder of one platform: where everything lies, and which processes belong to it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# What the user may put into the folder before `up`, and what `down` therefore leaves there.
KEPT = ("images.yaml",)
MARKER = ".platform"
MARKER_TEXT = "This folder belongs to `python -m local`; `python -m local down` empties it.\n"


class NotOurs(Exception):
    """The state folder holds something else; nothing in it may be removed."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process by number and start time, so that a number used again is not mistaken for it."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process:
        return cls(pid, start_time(pid) or 0)

    @property
    def is_alive(self) -> bool:
        return self.started != 0 and start_time(self.pid) == self.started


@dataclass(frozen=True, slots=True)
class Record:
    """What a running platform writes down about itself."""

    outside: Process
    init: Process
    api_port: int
    ingress_port: int


@dataclass(frozen=True, slots=True)
class State:
    """The paths inside one state folder."""

    folder: Path

    @property
    def keys(self) -> Path:
        return self.folder / "inside" / "keys"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def parts_file(self) -> Path:
        return self.folder / "parts.json"

    @property
    def record_file(self) -> Path:
        return self.folder / "platform.json"

    def claim(self) -> None:
        """Mark the folder as a platform's; raises NotOurs when it holds something else."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.check_ownership()
        (self.folder / MARKER).write_text(MARKER_TEXT)

    def check_ownership(self) -> None:
        """Raise NotOurs for a folder with content that no platform wrote."""
        if (self.folder / MARKER).exists():
            return
        if any(path.name not in KEPT for path in self.folder.iterdir()):
            raise NotOurs(
                f"{self.folder} holds files that are not a platform's: name an empty or new "
                "folder with --state."
            )

    def kubeconfig_of(self, part: str) -> Path:
        return self.folder / "inside" / f"{part}.kubeconfig"

    def log_of(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def hold_of(self, part: str) -> Path:
        """While this file is there, the part is not started again when it ends."""
        return self.folder / "held" / part

    def write_record(self, record: Record) -> None:
        write_atomically(self.record_file, json.dumps(asdict(record)))

    def record(self) -> Record | None:
        """Return what the platform wrote down, or None when there is none (or half of one)."""
        found = read_json(self.record_file)
        if found is None:
            return None
        try:
            return Record(
                outside=Process(**found["outside"]),
                init=Process(**found["init"]),
                api_port=found["api_port"],
                ingress_port=found["ingress_port"],
            )
        except (KeyError, TypeError):
            return None

    def parts(self) -> dict[str, Any]:
        """Return the state of each part as the platform last wrote it."""
        return read_json(self.parts_file) or {}


def start_time(pid: int) -> int | None:
    """Return when the process was started (clock ticks after boot); None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name stands in parentheses and may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def children_of(parent: int) -> list[int]:
    """Return the process numbers whose parent is `parent`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent:
            found.append(int(entry.name))
    return found


def read_json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_atomically(path: Path, text: str) -> None:
    """Readers see the old or the new text, never half of it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text)
    unfinished.replace(path)
