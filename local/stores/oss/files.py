"""Where the stand-in keeps what it is given: a folder for each bucket, a file for each object.

An object is its file and nothing else: its tag and its CRC-64 are computed when they are asked
for first. So a file may be damaged from outside, and the stand-in serves the damage. As with
rclone, an object cannot also be the folder of others.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, Self
from urllib.parse import unquote

import crcmod

from local.stores.oss.answers import Refusal

BLOCK = 1 << 20
MAX_KEY_BYTES = 1023
# What a file system takes for one name.
MAX_NAME_BYTES = 255
# Parts of keys that no file can be named.
_WRITTEN_OUT = {"": "%", ".": "%2E", "..": "%2E%2E"}
# CRC-64/XZ, as OSS computes it; crcmod comes with oss2.
_crc64 = crcmod.mkCrcFun(0x142F0E1EBA9EA3693, initCrc=0, xorOut=0xFFFFFFFFFFFFFFFF, rev=True)


@dataclass(frozen=True, slots=True)
class Found:
    """An object: its file and what OSS says about it."""

    path: Path
    size: int
    modified: float
    tag: str
    crc: int


class Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...

    def digest(self) -> bytes: ...


class Incoming:
    """Bytes that arrive: written aside, gone with the `with` unless they were moved."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        self.path = Path(name)
        self.size = 0
        self._file: BinaryIO = os.fdopen(handle, "wb")
        self._md5: Hash = hashlib.md5(usedforsecurity=False)

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._md5.update(data)
        self.size += len(data)

    @property
    def md5(self) -> bytes:
        return self._md5.digest()

    @property
    def tag(self) -> str:
        return self._md5.hexdigest().upper()

    def move(self, to: Path) -> None:
        self._file.close()
        self.path.replace(to)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


class Files:
    """All buckets of a store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / ".incoming"
        self._known: dict[Path, tuple[tuple[int, int], Found]] = {}

    def buckets(self) -> list[str]:
        return sorted(each.name for each in self._folder.iterdir() if each.name[0] != ".")

    def has(self, bucket: str) -> bool:
        return bucket != "" and bucket[0] != "." and (self._folder / bucket).is_dir()

    def make(self, bucket: str) -> None:
        (self._folder / bucket).mkdir(parents=True, exist_ok=True)

    def incoming(self) -> Incoming:
        return Incoming(self._incoming)

    def store(self, bucket: str, key: str, incoming: Incoming) -> Found:
        """Make what arrived the object `key`."""
        path = self.path(bucket, key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            incoming.move(path)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            message = f"{key} is, or lies below, an object or a folder here."
            raise Refusal(409, "FileAlreadyExists", message) from error
        return self.find(bucket, key)

    def find(self, bucket: str, key: str) -> Found:
        path = self.path(bucket, key)
        if not path.is_file():
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        return self._described(path)

    def delete(self, bucket: str, key: str) -> None:
        path = self.path(bucket, key)
        if path.is_file():
            path.unlink()
        for parent in path.parents:
            if parent == self._folder / bucket or not parent.is_dir() or any(parent.iterdir()):
                return
            parent.rmdir()

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """Return the keys with a prefix, in the order of their bytes."""
        found = (key for key in self._keys(self._folder / bucket) if key.startswith(prefix))
        return sorted(found, key=str.encode)

    def path(self, bucket: str, key: str) -> Path:
        """Return an object's file; names that mean something to a file system are written out."""
        names = [_file_name(part) for part in key.split("/")]
        too_long = any(len(name.encode()) > MAX_NAME_BYTES for name in names)
        if not key or key[0] in "/\\" or len(key.encode()) > MAX_KEY_BYTES or too_long:
            raise Refusal(400, "InvalidObjectName", f"The object name {key!r} is not valid.")
        return self._folder.joinpath(bucket, *names)

    def _keys(self, folder: Path) -> Iterator[str]:
        for path in folder.rglob("*"):
            if path.is_file():
                yield "/".join(_part(name) for name in path.relative_to(folder).parts)

    def _described(self, path: Path) -> Found:
        about = path.stat()
        stamp = (about.st_mtime_ns, about.st_size)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            tag, crc = _sums(path)
            known = stamp, Found(path, about.st_size, about.st_mtime, tag, crc)
            self._known[path] = known
        return known[1]


def _sums(path: Path) -> tuple[str, int]:
    md5, crc = hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            md5.update(block)
            crc = _crc64(block, crc)
    return md5.hexdigest().upper(), crc


def _file_name(part: str) -> str:
    return _WRITTEN_OUT.get(part) or part.replace("%", "%25").replace("\0", "%00")


def _part(name: str) -> str:
    return "" if name == _WRITTEN_OUT[""] else unquote(name)
