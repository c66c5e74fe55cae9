"""Removing backups, and what runs that died have left.

The manifest goes first, and while the rest goes the mark of the unfinished is there: whatever dies
in between, what is left is no backup, and is not mistaken for one of the system before ours.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import timedelta

from functions.adapters.stores.errors import StoreError
from functions.adapters.stores.port import ObjectStore, StoredObject
from functions.backups.manifest import MANIFEST, UNFINISHED

log = logging.getLogger("backup")


def remove_backup(store: ObjectStore, key: str) -> int:
    """Remove everything below `key`; return how many objects that were."""
    prefix = f"{key}/"
    found = [stored.key for stored in store.list(prefix)]
    if not found:
        return 0
    mark, manifest = prefix + UNFINISHED, prefix + MANIFEST
    store.put(mark, b"")
    if manifest in found:
        store.delete([manifest])
    store.delete([key for key in found if key not in (mark, manifest)])
    store.delete([mark])
    return len(found)


def sweep(store: ObjectStore, object_key: str, own: str, age: timedelta) -> None:
    """Remove runs below `object_key` that died longer than `age` ago: it is no fault if not.

    `own` is the prefix of the run that sweeps; its mark tells the store's time.
    """
    try:
        runs = _runs(store, f"{object_key}/")
        now = max(stored.modified for stored in runs[own])
        for prefix, objects in runs.items():
            if _is_dead(prefix, objects) and max(o.modified for o in objects) < now - age:
                log.info("removing %s: the run that wrote it died", prefix)
                remove_backup(store, prefix.rstrip("/"))
        for upload in store.abandoned_uploads(f"{object_key}/", now - age):
            log.info("removing parts of %s: the run that wrote them died", upload.key)
            store.abort(upload)
    except StoreError as error:
        log.warning("what dead runs left is not removed: %s", error)


def _runs(store: ObjectStore, prefix: str) -> dict[str, list[StoredObject]]:
    runs = defaultdict(list)
    for stored in store.list(prefix):
        name, slash, _ = stored.key.removeprefix(prefix).partition("/")
        runs[f"{prefix}{name}{slash}"].append(stored)
    return runs


def _is_dead(prefix: str, objects: list[StoredObject]) -> bool:
    names = {stored.key.removeprefix(prefix) for stored in objects}
    return UNFINISHED in names and MANIFEST not in names
