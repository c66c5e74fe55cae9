"""`manifest.json`, the object that makes a backup one: what belongs to it, with sizes and sums.

It is text in one canonical form with a sum over itself, so that a change of any byte shows. What a
later program adds to format 1 is carried along and passed over; a higher format is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from functions.backups.unproven import Unproven
from functions.persistence.file_names import LOG, SNAPSHOT, FileName, parse

MANIFEST = "manifest.json"
# The object that a run writes first and removes last: while it is there without a manifest, what
# lies beside it is no backup.
UNFINISHED = "unfinished"
FORMAT = 1
LARGEST = 8 << 20
ACCEPTED_EPOCH, CURRENT_EPOCH = "acceptedEpoch", "currentEpoch"
EPOCH_FILES = frozenset({ACCEPTED_EPOCH, CURRENT_EPOCH})
FILES, SNAPSHOT_COMMAND = "files", "snapshot"
METHODS = frozenset({FILES, SNAPSHOT_COMMAND})
_SUM = re.compile(r"[0-9a-f]{64}")
_ZXID = re.compile(r"0x(0|[1-9a-f][0-9a-f]{0,15})")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True, slots=True)
class BackupFile:
    """One object of a backup."""

    name: str
    size: int
    sha256: str

    @property
    def parsed(self) -> FileName | None:
        """What the name of a snapshot or a log says; None for an epoch file."""
        return parse(self.name)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where a backup comes from, what state it holds, and its objects."""

    cluster: str
    namespace: str
    server: str  # The pod whose volume was copied.
    server_id: int
    version: str  # ZooKeeper's.
    snapshot_zxid: int
    zxid: int  # The last transaction in the backup.
    epoch: int
    nodes: int  # As the server counted them at about that transaction; exact when nobody writes.
    digest: int | None  # The tree's after the last transaction, where servers write one.
    members: tuple[Any, ...]  # The source's member list as it was given, for a person to read.
    files: tuple[BackupFile, ...]
    start_time: str
    finish_time: str
    method: str
    quorum: bool  # False: the server did not serve, so the end may never have been committed.

    @property
    def size(self) -> int:
        """The bytes of all objects but the manifest itself."""
        return sum(file.size for file in self.files)

    @property
    def snapshot(self) -> BackupFile:
        (found,) = (file for file in self.files if is_kind(file.name, SNAPSHOT))
        return found

    @property
    def logs(self) -> tuple[BackupFile, ...]:
        found = [file for file in self.files if is_kind(file.name, LOG)]
        return tuple(sorted(found, key=lambda file: getattr(file.parsed, "zxid", 0)))


def is_kind(name: str, kind: str) -> bool:
    parsed = parse(name)
    return parsed is not None and parsed.kind == kind


def is_backup_file(name: str) -> bool:
    """Say whether a backup may hold an object of that name: nothing that leads elsewhere is one."""
    return name in EPOCH_FILES or parse(name) is not None


def written(manifest: Manifest) -> bytes:
    """Return the content of `manifest.json`."""
    return _sealed(
        {
            "format": FORMAT,
            "cluster": manifest.cluster,
            "namespace": manifest.namespace,
            "server": manifest.server,
            "id": manifest.server_id,
            "version": manifest.version,
            "snapshotZxid": f"{manifest.snapshot_zxid:#x}",
            "zxid": f"{manifest.zxid:#x}",
            "epoch": manifest.epoch,
            "nodes": manifest.nodes,
            "digest": manifest.digest,
            "members": list(manifest.members),
            "files": [asdict(file) for file in manifest.files],
            "startTime": manifest.start_time,
            "finishTime": manifest.finish_time,
            "method": manifest.method,
            "quorum": manifest.quorum,
        }
    )


def _sealed(fields: Mapping[str, Any]) -> bytes:
    unsealed = {name: value for name, value in fields.items() if name != "sha256"}
    seal = hashlib.sha256(_text(unsealed)).hexdigest()
    return _text({**unsealed, "sha256": seal})


def _text(fields: Mapping[str, Any]) -> bytes:
    return (json.dumps(fields, indent=2, sort_keys=True) + "\n").encode()


def parsed(content: bytes) -> Manifest:
    """Return what `manifest.json` says; raises Unproven with what is wrong with it, and no name."""
    fields = _fields(content)
    _check_format(fields)
    if _sealed(fields) != content:
        raise Unproven("it was changed after it was written: its own sum does not fit.")
    reader = _Fields(fields)
    manifest = Manifest(
        cluster=reader.text("cluster"),
        namespace=reader.text("namespace"),
        server=reader.text("server"),
        server_id=reader.count("id"),
        version=reader.text("version"),
        snapshot_zxid=reader.zxid("snapshotZxid"),
        zxid=reader.zxid("zxid"),
        epoch=reader.count("epoch"),
        nodes=reader.count("nodes"),
        digest=reader.optional_number("digest"),
        members=tuple(reader.list("members")),
        files=tuple(_file(each) for each in reader.list("files")),
        start_time=reader.matching("startTime", _TIME),
        finish_time=reader.matching("finishTime", _TIME),
        method=reader.one_of("method", METHODS),
        quorum=reader.truth("quorum"),
    )
    _check_files(manifest)
    return manifest


def _fields(content: bytes) -> dict[str, Any]:
    try:
        # RecursionError: brackets within brackets, thousands deep.
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unproven("it is no JSON: it was cut or changed after it was written.") from error
    if not isinstance(fields, dict):
        raise Unproven("it holds no JSON object.")
    return fields


def _check_format(fields: Mapping[str, Any]) -> None:
    number = fields.get("format")
    if type(number) is not int or number < 1:
        raise Unproven("it names no format: this is no manifest of a backup.")
    if number > FORMAT:
        raise Unproven(
            f"it is of format {number}, and this program knows formats up to {FORMAT} only: "
            "use a newer version of it."
        )


def _check_files(manifest: Manifest) -> None:
    names = [file.name for file in manifest.files]
    if len(set(names)) != len(names):
        raise Unproven("it lists an object twice.")
    snapshots = [file for file in manifest.files if is_kind(file.name, SNAPSHOT)]
    if len(snapshots) != 1:
        raise Unproven(f"it lists {len(snapshots)} snapshots, and a backup holds exactly one.")
    if manifest.zxid < manifest.snapshot_zxid:
        raise Unproven("its last transaction is older than its snapshot.")


def _file(fields: Any) -> BackupFile:
    if not isinstance(fields, dict):
        raise Unproven("its list of files holds what is no file.")
    reader = _Fields(fields)
    name = reader.text("name")
    if not is_backup_file(name):
        raise Unproven(f"it lists {name!r}, which is no name of a file that ZooKeeper writes.")
    return BackupFile(name, reader.count("size"), reader.matching("sha256", _SUM))


class _Fields:
    """The fields of an object, each of exactly the kind that is asked for."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        return str(self._typed(name, lambda value: isinstance(value, str)))

    def count(self, name: str) -> int:
        return int(self._typed(name, lambda value: type(value) is int and 0 <= value < 1 << 63))

    def optional_number(self, name: str) -> int | None:
        value = self._typed(name, lambda value: value is None or type(value) is int)
        return None if value is None else int(value)

    def truth(self, name: str) -> bool:
        return bool(self._typed(name, lambda value: isinstance(value, bool)))

    def list(self, name: str) -> list[Any]:
        return list(self._typed(name, lambda value: isinstance(value, list)))

    def zxid(self, name: str) -> int:
        return int(self.matching(name, _ZXID), 16)

    def matching(self, name: str, pattern: re.Pattern[str]) -> str:
        return str(
            self._typed(
                name, lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))
            )
        )

    def one_of(self, name: str, values: frozenset[str]) -> str:
        return str(self._typed(name, lambda value: isinstance(value, str) and value in values))

    def _typed(self, name: str, is_right: Callable[[Any], bool]) -> Any:
        value = self._fields.get(name)
        if name not in self._fields or not is_right(value):
            raise Unproven(f"its field {name!r} is missing or cannot be understood.")
        return value
