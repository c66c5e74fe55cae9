"""Making one backup: mark, files, proof, manifest; or nothing at all.

A run writes the mark of the unfinished first. The manifest comes last, after everything was read
back and proven: a backup whose manifest is there can be restored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.adapters.stores.errors import StoreError
from functions.adapters.stores.port import ObjectStore
from functions.backups.manifest import MANIFEST, UNFINISHED, Manifest, written
from functions.backups.parts import PART_BYTES, Outbox
from functions.backups.proof import prove_listed
from functions.backups.reading import Tell
from functions.backups.removing import sweep
from functions.backups.sources import PrefixSource
from functions.backups.taken import Taken
from functions.backups.unproven import Unproven

NO_QUORUM = (
    "No server served. The backup ends where the log on this disk ends: its last transactions may "
    "never have been committed, and others may be missing."
)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a backup is of."""

    cluster: str
    namespace: str
    server: str
    server_id: int
    version: str
    members: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a backup goes: `<object key>/<pod>/` in a store."""

    store: ObjectStore
    object_key: str
    pod: str

    @property
    def key(self) -> str:
        return f"{self.object_key}/{self.pod}"

    @property
    def prefix(self) -> str:
        return f"{self.key}/"


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is there."""

    manifest: Manifest
    checksum: str  # The manifest's SHA-256.
    is_verified: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """How to make it: what writes the files, by which method, and whom to tell of the progress.

    `take` writes them through the outbox and returns what state they are, and a warning.
    """

    take: Callable[[Outbox], tuple[Taken, str, str]]
    sent: Callable[[int], None] = lambda _: None
    verify: bool = True
    verifying: Tell = lambda *_: None
    dead_after: timedelta = timedelta(hours=2)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    part_bytes: int = PART_BYTES


def make(target: Target, origin: Origin, work: Work) -> Made:
    """Make the backup; when it raises, nothing of it is left, as far as the store lets us."""
    store, mark = target.store, target.prefix + UNFINISHED
    started = work.now()
    outbox = Outbox(store, target.prefix, work.sent, part_bytes=work.part_bytes)
    try:
        store.put(mark, b"")
        sweep(store, target.object_key, target.prefix, work.dead_after)
        taken, method, warning = work.take(outbox)
        manifest = _manifest(origin, taken, method, (started, work.now()))
        if work.verify:
            prove_listed(PrefixSource(store, target.key), manifest, tell=work.verifying)
        checksum = _put_manifest(target, manifest)
    except BaseException:
        _remove(target, outbox)
        raise
    finally:
        outbox.close()
    with suppress(StoreError):  # The manifest is there, so the mark says nothing any more.
        store.delete([mark])
    warnings = [warning, "" if taken.quorum else NO_QUORUM]
    return Made(manifest, checksum, work.verify, tuple(filter(None, warnings)))


def _manifest(
    origin: Origin, taken: Taken, method: str, times: tuple[datetime, datetime]
) -> Manifest:
    started, finished = (f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in times)
    return Manifest(
        cluster=origin.cluster,
        namespace=origin.namespace,
        server=origin.server,
        server_id=origin.server_id,
        version=origin.version,
        snapshot_zxid=taken.snapshot_zxid,
        zxid=taken.zxid,
        epoch=taken.epoch,
        nodes=taken.nodes,
        digest=taken.digest,
        members=origin.members,
        files=taken.files,
        start_time=started,
        finish_time=finished,
        method=method,
        quorum=taken.quorum,
    )


def _put_manifest(target: Target, manifest: Manifest) -> str:
    """Write the manifest, read it back, and return its sum."""
    content, key = written(manifest), target.prefix + MANIFEST
    target.store.put(key, content)
    with target.store.read(key) as reading:
        found = b"".join(iter(lambda: reading.read(1 << 16), b""))
    if found != content:
        raise Unproven(f"{key} is not as it was written: the store gives back something else.")
    return hashlib.sha256(content).hexdigest()


def _remove(target: Target, outbox: Outbox) -> None:
    """Leave nothing; what cannot be removed keeps the mark, and a later run removes it."""
    with suppress(StoreError):
        target.store.delete([target.prefix + MANIFEST])
        outbox.discard()
        target.store.delete([target.prefix + UNFINISHED])
