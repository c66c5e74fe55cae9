"""Where the files of a backup are read from: a folder, or the objects below a key of a store.

Both give files that can be sought, for telling a log that was cut from one that was damaged.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from functions.adapters.stores.port import ObjectStore
from functions.backups.unproven import Unproven

# What was read last is kept: a small step back, or forth, costs no request.
LEAST = 1 << 16


class Source(Protocol):
    """The files of one backup by their names in it."""

    @property
    def name(self) -> str:
        """Where they are, for a person; the name of a file goes behind it."""
        ...

    def sizes(self) -> Mapping[str, int]:
        """Return every object there is, by name; names may hold slashes."""
        ...

    def open(self, name: str) -> AbstractContextManager[BinaryIO]: ...


class FolderSource:
    """Files on disk; snapshots and logs may lie in different folders."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders

    @property
    def name(self) -> str:
        return f"{self._folders[0]}/"

    def sizes(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for folder in self._folders:
            if not folder.is_dir():
                raise Unproven(f"{folder} is no folder: name one that holds the files of a backup.")
            for path in folder.iterdir():
                found[path.name] = path.stat().st_size if path.is_file() else 0
        return found

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        held = [folder / name for folder in self._folders if (folder / name).is_file()]
        path = held[0] if held else self._folders[0] / name
        return cast(BinaryIO, path.open("rb", buffering=0))


class PrefixSource:
    """Objects of a store below one key."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store = store
        self._prefix = f"{key.rstrip('/')}/"

    @property
    def name(self) -> str:
        return self._prefix

    def sizes(self) -> Mapping[str, int]:
        cut = len(self._prefix)
        # The old system wrote an object for the folder itself.
        return {
            found.key[cut:]: found.size
            for found in self._store.list(self._prefix)
            if found.key != self._prefix
        }

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        return cast(BinaryIO, ObjectFile(self._store, self._prefix + name))


class ObjectFile(io.RawIOBase):
    """An object as a file: read in one stream, which is opened anew only where it is sought."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._reading = store.read(key)
        # Behind the object's end a store answers with an error.
        self._size = self._reading.size
        self._window = b""
        self._window_start = 0
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("an object is sought from its beginning only")
        self._at = offset
        return offset

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._size - self._at)
        wanted = left if size < 0 else min(size, left)
        pieces = []
        while wanted and (data := self._some(wanted)):
            pieces.append(data)
            wanted -= len(data)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        self._reading.close()
        super().close()

    def _some(self, most: int) -> bytes:
        start = self._at - self._window_start
        if not 0 <= start < len(self._window):
            self._read_on(most)
            start = 0
        found = self._window[start : start + most]
        self._at += len(found)
        return found

    def _read_on(self, most: int) -> None:
        if self._at != self._window_start + len(self._window):
            self._reading.close()
            self._reading = self._store.read(self._key, self._at)
        self._window_start = self._at
        self._window = self._reading.read(max(most, LEAST))
