"""The files of one server: what its disk holds, and writing what it starts from.

Every file is written to the side and renamed, so a crash leaves the old file or the new one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from functions.planning.preparation import Disk

_SERVER_LINE = re.compile(r"^server\.(\d+)=(\S+)", re.MULTILINE)
_POINTER = re.compile(r"^dynamicConfigFile=(.+)$", re.MULTILINE)
_SECURE_PORT = re.compile(r"^secureClientPort=.*\n", re.MULTILINE)
_LOG_FILES = ("log4j.properties", "log4j-quiet.properties", "logback.xml")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where one server keeps its things; `log` is the data folder unless it has its own volume."""

    data: Path
    log: Path
    config: Path
    raw_config: Path
    static_config: str

    @classmethod
    def named_by(cls, environment: Mapping[str, str]) -> Folders:
        """Return the folders that a container's environment names."""
        return cls(
            data=Path(environment["DATA_DIR"]),
            log=Path(environment["DATA_LOG_DIR"]),
            config=Path(environment["CFG_DIR"]),
            raw_config=Path(environment["RAW_CFG_DIR"]),
            static_config=environment["STATIC_CONFIG"],
        )

    @property
    def snapshots(self) -> Path:
        """Where ZooKeeper keeps its snapshots and epochs."""
        return self.data / "version-2"

    @property
    def logs(self) -> Path:
        """Where ZooKeeper keeps its transaction logs."""
        return self.log / "version-2"

    @property
    def static_file(self) -> Path:
        """The server's own zoo.cfg, which it rewrites."""
        return self.config / self.static_config

    @property
    def pending_list(self) -> Path:
        """The member list of a change that may not have been committed: a server takes it up."""
        return self.config / f"{self.static_config}.dynamic.next"

    @property
    def marker(self) -> Path:
        """The `initialize` marker, read next to the transaction logs' folder (zookeeper.md 4.4)."""
        return self.log / "initialize"


def read_disk(folders: Folders) -> Disk:
    """Return whether the volume holds data and which member list the server last wrote."""
    held = [
        name
        for folder in (folders.snapshots, folders.logs)
        for pattern in ("snapshot.*", "log.*")
        for name in folder.glob(pattern)
    ]
    return Disk(is_empty=not held, members=_own_members(folders))


def _own_members(folders: Folders) -> dict[int, str]:
    lines = _SERVER_LINE.findall(own_list(folders).text)
    return {int(number): address for number, address in lines}


@dataclass(frozen=True, slots=True)
class OwnList:
    """The member list a server last wrote: its file, and what that says; both may be empty."""

    file: str
    text: str


def own_list(folders: Folders) -> OwnList:
    pointer = _pointer(text_of(folders.static_file))
    return OwnList(pointer, text_of(Path(pointer)) if pointer else "")


def write_own_list(folders: Folders, own: OwnList) -> None:
    """Make a list in its very own words the one that the server starts from."""
    write_file(Path(own.file), own.text)
    wanted = text_of(folders.raw_config / folders.static_config)
    write_file(folders.static_file, _POINTER.sub(lambda _: f"dynamicConfigFile={own.file}", wanted))


def _pointer(static: str) -> str:
    found = _POINTER.findall(static)
    return str(found[-1]).strip() if found else ""


def text_of(path: Path) -> str:
    """Return what a file says; nothing for one that is not there."""
    try:
        return path.read_text()
    except (FileNotFoundError, IsADirectoryError):
        return ""


def refresh_configuration(folders: Folders, *, is_closed: bool = False) -> None:
    """Take the wanted settings, and keep the server's own pointer to its member list.

    The port for TLS is in no member list: a server that is closed to clients starts without it.
    """
    wanted = text_of(folders.raw_config / folders.static_config)
    if is_closed:
        wanted = _SECURE_PORT.sub("", wanted)
    pointer = _pointer(text_of(folders.static_file))
    if pointer and Path(pointer).is_file():
        wanted = _POINTER.sub(lambda _: f"dynamicConfigFile={pointer}", wanted)
    write_file(folders.static_file, wanted)
    for name in _LOG_FILES:
        write_file(folders.config / name, text_of(folders.raw_config / name))


def write_members(folders: Folders, lines: Mapping[int, str], version: int = 0) -> None:
    """Make `lines` the list that the server starts from, in place of any older one.

    A server reads the version of its list off the file's name (zookeeper.md 4.3).
    """
    wanted = text_of(folders.raw_config / folders.static_config)
    file = _pointer(wanted) + (f".{version:x}" if version else "")
    members = "".join(f"server.{number}={lines[number]}\n" for number in sorted(lines))
    write_file(Path(file), members)
    write_file(folders.static_file, _POINTER.sub(lambda _: f"dynamicConfigFile={file}", wanted))


def write_identity(folders: Folders, server_id: int) -> None:
    write_file(folders.data / "myid", f"{server_id}\n")


def place_marker(folders: Folders) -> None:
    """Let an empty disk vote, once: the server removes the marker at its start.

    Epoch files that an earlier start without a marker left (-1) would stop it (zookeeper.md 4.4).
    """
    for name in ("acceptedEpoch", "currentEpoch"):
        (folders.snapshots / name).unlink(missing_ok=True)
    write_file(folders.marker, "")


def remove_marker(folders: Folders) -> None:
    """Take back a marker that no server has used: this disk may not vote."""
    folders.marker.unlink(missing_ok=True)


def write_file(path: Path, content: str) -> None:
    """Write durably: to the side, synced, then renamed. Nothing is written if it is so already."""
    if path.is_file() and path.read_text() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    with aside.open("w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
