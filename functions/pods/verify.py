"""Prove a backup: `python -m functions.pods.verify`, in a Job's pod."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from functions.adapters.stores.connect import connect
from functions.adapters.stores.port import ObjectStore
from functions.backups.keys import backup_key
from functions.backups.proof import prove_prefix
from functions.backups.proven import Proof
from functions.pods.outcome import leave, run
from functions.pods.progress import served


def main() -> None:
    leave(run(lambda: verify(os.environ, lambda: connect(os.environ)), os.environ))


def verify(environment: Mapping[str, str], store: Callable[[], ObjectStore]) -> dict[str, Any]:
    """Prove the backup below KEY; return what was proven."""
    key = backup_key(environment["KEY"])
    with served(environment) as progress:
        proof = prove_prefix(
            store(), key, tell=lambda done, total: progress.tell(done, total, "verifying")
        )
    return {"key": key, **_result(proof)}


def _result(proof: Proof) -> dict[str, Any]:
    warning = {"warning": " ".join(proof.warnings)} if proof.warnings else {}
    return {
        "size": proof.size,
        "zxid": f"{proof.zxid:#x}",
        "epoch": proof.epoch,
        "nodes": proof.nodes,
        "checksum": proof.checksum,
        "verified": True,
        **warning,
    }


if __name__ == "__main__":
    main()
