"""The deep proof: make the tree, and compare it with what the leader had after each transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from functions.backups.proven import Depth, Proof
from functions.backups.sources import Source
from functions.backups.unproven import Unproven
from functions.persistence.damage import Damaged
from functions.persistence.data_tree import DataTree, tree_of
from functions.persistence.digest import DIGEST_VERSION
from functions.persistence.file_names import parse
from functions.persistence.snapshot import Snapshot
from functions.persistence.txn import Failed, Transaction, decode
from functions.persistence.txn_log import TxnLog


def prove_tree(source: Source, proof: Proof) -> Proof:
    """Return the proof of depth `tree` for a backup whose files are proven."""
    tree, digests = _snapshot_tree(source, proof), proof.digests
    for log, transaction in _transactions(source, proof):
        tree.apply(transaction)
        digests += _has_fitting_digest(f"{source.name}{log}", tree, transaction, proof.reaches)
    if proof.manifest is not None and proof.manifest.digest not in (None, tree.digest):
        raise Unproven(f"{source.name}: the tree is another one than the manifest's digest says.")
    return replace(proof, nodes=len(tree.nodes), depth=Depth.TREE, digests=digests)


def tree_of_backup(source: Source, proof: Proof) -> DataTree:
    """Return the whole state that a proven backup holds."""
    tree = _snapshot_tree(source, proof)
    for _, transaction in _transactions(source, proof):
        tree.apply(transaction)
    return tree


def _snapshot_tree(source: Source, proof: Proof) -> DataTree:
    name = parse(proof.snapshot.name)
    if name is None:
        raise Unproven(f"{source.name}{proof.snapshot.name} is no snapshot.")
    with source.open(name.text) as file:
        return tree_of(Snapshot(file, name.compression))


def _transactions(source: Source, proof: Proof) -> Iterator[tuple[str, Transaction]]:
    for log_file in proof.logs:
        with source.open(log_file.name) as file:
            log = TxnLog(file, keep=True)
            for record in log:
                if record.zxid > proof.snapshot_zxid and log.payload is not None:
                    try:
                        yield log_file.name, decode(record, log.payload)
                    except Damaged as damage:
                        raise Unproven(
                            f"{source.name}{log_file.name}: transaction {record.zxid:#x} cannot "
                            f"be understood: {damage}."
                        ) from damage


def _has_fitting_digest(place: str, tree: DataTree, transaction: Transaction, reaches: int) -> bool:
    """Say whether a digest was compared; what a snapshot holds in part fits none."""
    if transaction.digest is None or transaction.zxid < reaches:
        return False
    version, digest = transaction.digest
    if version != DIGEST_VERSION:
        return False
    if isinstance(transaction.operation, Failed) or digest == tree.digest:
        return digest == tree.digest
    raise Unproven(
        f"{place}: after transaction {transaction.zxid:#x} the tree is another one than the leader "
        "had."
    )
