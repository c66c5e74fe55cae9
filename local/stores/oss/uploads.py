"""Multipart uploads under way: a folder for each, a file for each part, named with its tag."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.stores.oss.answers import Refusal
from local.stores.oss.files import BLOCK, Files, Found, Incoming

MIN_PART_BYTES = 100 << 10
MAX_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    number: int
    tag: str
    size: int
    modified: float
    path: Path


@dataclass(frozen=True, slots=True)
class Begun:
    key: str
    id: str
    at: float


class Uploads:
    """All uploads under way, of all buckets."""

    def __init__(self, folder: Path, files: Files) -> None:
        self._folder = folder / ".uploads"
        self._files = files

    def begin(self, bucket: str, key: str) -> str:
        self._files.path(bucket, key)
        id = uuid.uuid4().hex.upper()
        folder = self._folder / bucket / id
        folder.mkdir(parents=True)
        (folder / "key").write_text(key)
        return id

    def begun(self, bucket: str, prefix: str) -> list[Begun]:
        """Return the uploads of keys with a prefix, by key and id."""
        found = [
            Begun(each.read_text(), each.parent.name, each.stat().st_mtime)
            for each in (self._folder / bucket).glob("*/key")
        ]
        kept = (upload for upload in found if upload.key.startswith(prefix))
        return sorted(kept, key=lambda upload: (upload.key.encode(), upload.id))

    def add(self, bucket: str, key: str, id: str, number: int, incoming: Incoming) -> None:
        folder = self._under_way(bucket, key, id)
        if not 1 <= number <= MAX_PARTS:
            raise Refusal(400, "InvalidArgument", f"Part number must be 1 to {MAX_PARTS}.")
        older = [part.path for part in self.parts(bucket, key, id) if part.number == number]
        incoming.move(folder / f"{number:05}-{incoming.tag}")
        for path in older:
            if path.name != f"{number:05}-{incoming.tag}":
                path.unlink()

    def parts(self, bucket: str, key: str, id: str) -> list[Part]:
        """Return the parts that came, by number."""
        found = []
        for path in self._under_way(bucket, key, id).glob("*-*"):
            number, _, tag = path.name.partition("-")
            about = path.stat()
            found.append(Part(int(number), tag, about.st_size, about.st_mtime, path))
        return sorted(found, key=lambda part: part.number)

    def complete(self, bucket: str, key: str, id: str, wanted: Sequence[tuple[int, str]]) -> Found:
        """Make one object of the parts whose numbers and tags are given."""
        parts = self._chosen(bucket, key, id, wanted)
        with self._files.incoming() as incoming:
            for part in parts:
                with part.path.open("rb") as file:
                    while block := file.read(BLOCK):
                        incoming.write(block)
            found = self._files.store(bucket, key, incoming)
        self.abort(bucket, key, id)
        return found

    def abort(self, bucket: str, key: str, id: str) -> None:
        shutil.rmtree(self._under_way(bucket, key, id))

    def _chosen(
        self, bucket: str, key: str, id: str, wanted: Sequence[tuple[int, str]]
    ) -> list[Part]:
        here = {(part.number, part.tag): part for part in self.parts(bucket, key, id)}
        numbers = [number for number, _ in wanted]
        if not wanted or numbers != sorted(set(numbers)):
            raise Refusal(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
        if not all(each in here for each in wanted):
            raise Refusal(400, "InvalidPart", "One or more of the specified parts are not here.")
        chosen = [here[each] for each in wanted]
        if any(part.size < MIN_PART_BYTES for part in chosen[:-1]):
            message = "Your proposed upload is smaller than the minimum allowed size."
            raise Refusal(400, "EntityTooSmall", message)
        return chosen

    def _under_way(self, bucket: str, key: str, id: str) -> Path:
        folder = self._folder / bucket / id
        if not id.isalnum() or not folder.is_dir() or (folder / "key").read_text() != key:
            message = "The upload ID is invalid, or the upload was aborted or completed."
            raise Refusal(404, "NoSuchUpload", message)
        return folder
