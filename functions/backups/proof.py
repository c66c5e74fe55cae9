"""Proving a backup: reading all of it, and holding it against everything it can be held against.

What is proven, by depth:

- `files`: with a manifest, every object is there, none is another, and every byte is as it was
  written (sizes, SHA-256); every transaction and the snapshot fit the checksums that ZooKeeper
  wrote; no transaction is missing from the snapshot to the end, and the end is where the manifest
  says. A snapshot that stands alone also fits the tree digest in it. It holds a few megabytes.
- `tree`: besides, the tree is made from the snapshot and the logs, and its digest is the leader's
  after every transaction for which the leader wrote one: paths, data and numbers of all nodes are
  what the ensemble had. It holds all nodes, about a kilobyte each and their data.

A folder that the system before ours wrote has no manifest: then nobody knows whether its end was
lost, or which cluster it is from, and a warning says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from functions.adapters.stores.port import ObjectStore
from functions.backups.choosing import logs_behind, snapshots_in
from functions.backups.manifest import (
    EPOCH_FILES,
    MANIFEST,
    UNFINISHED,
    Manifest,
    parsed,
)
from functions.backups.proven import Depth, Proof, ProvenFile
from functions.backups.reading import BackupReader, Tell, read_manifest
from functions.backups.sources import FolderSource, PrefixSource, Source
from functions.backups.tree_proof import prove_tree
from functions.backups.unproven import Unproven
from functions.persistence.complete_set import CompleteSet, ReadLog, ReadSnapshot, complete_set
from functions.persistence.file_names import FileName
from functions.persistence.log_end import Ending
from functions.persistence.zxid import epoch

Found = TypeVar("Found")

NO_MANIFEST = (
    "It has no manifest.json, so nothing says which cluster it is from, or whether objects or "
    "transactions at its end are missing."
)


def prove_folder(
    folder: Path, *more: Path, depth: Depth = Depth.FILES, tell: Tell = lambda *_: None
) -> Proof:
    """Prove the backup in a folder; with `more`, its files may lie in any of them."""
    return prove(FolderSource(folder, *more), depth=depth, tell=tell)


def prove_prefix(
    store: ObjectStore, key: str, *, depth: Depth = Depth.FILES, tell: Tell = lambda *_: None
) -> Proof:
    """Prove the backup below `key`; raises a StoreError, too, where the store fails."""
    return prove(PrefixSource(store, key), depth=depth, tell=tell)


def prove(source: Source, *, depth: Depth = Depth.FILES, tell: Tell = lambda *_: None) -> Proof:
    """Return what was proven; raises Unproven with the object that is wrong."""
    sizes = source.sizes()
    if MANIFEST in sizes:
        content = read_manifest(source)
        proof = prove_listed(source, _manifest(source, content), tell=tell)
        proof = replace(proof, checksum=hashlib.sha256(content).hexdigest())
    elif UNFINISHED in sizes:
        raise Unproven(
            f"{source.name} is no backup: the run that wrote it never finished "
            f"({UNFINISHED} is there, {MANIFEST} is not)."
        )
    else:
        proof = _prove_bare(source, sizes, tell)
    return proof if depth is Depth.FILES else prove_tree(source, proof)


def prove_listed(source: Source, manifest: Manifest, *, tell: Tell = lambda *_: None) -> Proof:
    """Prove what a manifest lists: exactly that must be there, and make exactly that state.

    The manifest may not be there yet.
    """
    sizes = source.sizes()
    _check_listing(source, manifest, sizes)
    reader = BackupReader(source, {file.name: file.sha256 for file in manifest.files}, tell)
    reader.expect(manifest.size)
    names = [file.name for file in manifest.files]
    found_epoch = max((reader.epoch(name) for name in EPOCH_FILES & {*names}), default=0)
    snapshot = reader.snapshot(snapshots_in(names)[0])
    logs = [reader.log(name) for name in logs_behind(names, -1)]
    chosen = complete_set([snapshot], logs)
    _check_complete(source, snapshot, logs, chosen)
    proof = _proof((source, sizes), snapshot, chosen, logs, found_epoch)
    _check_agreement(proof, manifest)
    return replace(proof, manifest=manifest)


def _manifest(source: Source, content: bytes) -> Manifest:
    try:
        return parsed(content)
    except Unproven as problem:
        raise Unproven(f"{source.name}{MANIFEST}: {problem}") from problem


def _check_listing(source: Source, manifest: Manifest, sizes: Mapping[str, int]) -> None:
    for file in manifest.files:
        place = f"{source.name}{file.name}"
        if file.name not in sizes:
            raise Unproven(f"{place} is missing: {MANIFEST} lists it.")
        if sizes[file.name] != file.size:
            raise Unproven(
                f"{place} has {sizes[file.name]} bytes, and {file.size} were written: it was cut "
                "or replaced."
            )
    # A run that died right behind its manifest leaves the mark; the manifest is the last word.
    listed = {MANIFEST, UNFINISHED, *(file.name for file in manifest.files)}
    if strange := sorted(sizes.keys() - listed):
        raise Unproven(
            f"{source.name}{strange[0]} is not part of the backup: {MANIFEST} does not list it."
        )


def _check_agreement(proof: Proof, manifest: Manifest) -> None:
    said = f"{proof.name}{MANIFEST} says"
    unused = {file.name for file in manifest.logs} - {file.name for file in proof.logs}
    if unused:
        raise Unproven(f"{proof.name}{min(unused)} holds no transaction behind the snapshot.")
    if proof.snapshot_zxid != manifest.snapshot_zxid:
        raise Unproven(f"{said} another transaction for the snapshot than {proof.snapshot.name}.")
    if proof.zxid != manifest.zxid:
        raise Unproven(
            f"{said} that the backup ends with {manifest.zxid:#x}, and its files end with "
            f"{proof.zxid:#x}."
        )
    if proof.epoch != manifest.epoch:
        raise Unproven(f"{said} epoch {manifest.epoch}, and its files {proof.epoch}.")


def _prove_bare(source: Source, sizes: Mapping[str, int], tell: Tell) -> Proof:
    """Prove what the folder of a server holds, from the newest snapshot that makes it one state."""
    reader = BackupReader(source, {}, tell)
    found_epoch = 0
    for epoch_file in sorted(EPOCH_FILES & sizes.keys()):
        found_epoch = max(found_epoch, reader.epoch(epoch_file))
    problems = []
    logs: dict[str, ReadLog] = {}
    for name in snapshots_in(sizes):
        try:
            snapshot = _expected(reader.snapshot, reader, name, sizes)
            for log in logs_behind(sizes, name.zxid):
                logs[log.text] = logs.get(log.text) or _expected(reader.log, reader, log, sizes)
            chosen = complete_set([snapshot], logs.values())
            _check_complete(source, snapshot, logs.values(), chosen)
        except Unproven as problem:
            problems.append(problem)
            continue
        proof = _proof((source, sizes), snapshot, chosen, list(logs.values()), found_epoch)
        return replace(proof, warnings=_warnings(proof, logs, problems))
    raise problems[0] if problems else _nothing(source, sizes)


def _expected(
    read: Callable[[FileName], Found],
    reader: BackupReader,
    name: FileName,
    sizes: Mapping[str, int],
) -> Found:
    reader.expect(sizes[name.text])
    return read(name)


def _warnings(
    proof: Proof, logs: Mapping[str, ReadLog], problems: Sequence[Unproven]
) -> tuple[str, ...]:
    cut = [
        f"{proof.name}{file.name} ends with a transaction that was cut; the state ends before it."
        for file in proof.logs
        if _is_cut(logs[file.name])
    ]
    passed_over = [f"A newer snapshot was passed over: {problem}" for problem in problems]
    return (NO_MANIFEST, *cut, *passed_over)


def _is_cut(log: ReadLog) -> bool:
    return log.summary.end is not None and log.summary.end.ending is Ending.CUT


def _nothing(source: Source, sizes: Mapping[str, int]) -> Unproven:
    if not sizes:
        return Unproven(f"There is nothing below {source.name}: is the key right?")
    held = ", ".join(sorted(sizes)[:3])
    return Unproven(f"{source.name} is no backup: it holds no snapshot, but {held}.")


def _check_complete(
    source: Source, snapshot: ReadSnapshot, logs: Iterable[ReadLog], chosen: CompleteSet
) -> None:
    if chosen.gaps:
        gap = chosen.gaps[0]
        # What was lost with the end of a log is noticed at the beginning of the next.
        cut = [log.name.text for log in logs if _is_cut(log) and log.last == gap.after]
        before = f"{source.name}{cut[0]} ends with a transaction that was cut, and " if cut else ""
        raise Unproven(f"{before}{source.name}{gap}.")
    if not chosen.logs and snapshot.summary.is_proven is False:
        raise Unproven(
            f"{source.name}{snapshot.name.text} is no state of one moment: its nodes do not fit "
            "the tree digest in it, and no log is there to make them one."
        )


def _proof(
    listed: tuple[Source, Mapping[str, int]],
    snapshot: ReadSnapshot,
    chosen: CompleteSet,
    logs: Iterable[ReadLog],
    found_epoch: int,
) -> Proof:
    source, whole = listed
    sizes = {log.name.text: log.summary.size for log in logs}
    return Proof(
        name=source.name,
        manifest=None,
        snapshot=ProvenFile(snapshot.name.text, whole[snapshot.name.text]),
        logs=tuple(ProvenFile(log.text, sizes[log.text]) for log in chosen.logs),
        epoch_files=tuple(ProvenFile(n, whole[n]) for n in sorted(EPOCH_FILES & whole.keys())),
        snapshot_zxid=snapshot.name.zxid,
        reaches=snapshot.reaches,
        zxid=chosen.zxid,
        epoch=max(found_epoch, epoch(chosen.zxid)),
        nodes=snapshot.summary.nodes,
        depth=Depth.FILES,
        digests=int(bool(snapshot.summary.is_proven)),
    )
