"""Arm a restore: `python -m functions.pods.arm`, in a Job's pod that has a server's volumes.

From then on the server asks the API server before it starts (`functions.planning.restoring`). What
was staged is looked at once more; a volume is armed for one restore at a time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from functions.api.errors import FunctionError
from functions.planning.restoring import Swap
from functions.pods.disk import write_file
from functions.pods.outcome import leave, run
from functions.pods.restore_folder import (
    RESTORES,
    RestoreFolder,
    restore_folders,
    swap_of,
    sync_folder,
)
from functions.pods.stage import NotStaged, is_staged, read_staged

log = logging.getLogger("arm")


class HeldByAnother(FunctionError):
    """Another restore was begun on this volume, and neither finished nor taken back."""

    is_final: ClassVar[bool] = False


def main() -> None:
    leave(run(lambda: arm(os.environ), os.environ))


def arm(environment: Mapping[str, str]) -> dict[str, Any]:
    """Arm the volumes for RESTORE_UID; return what is staged there."""
    data, logs = Path(environment["DATA_DIR"]), Path(environment["DATA_LOG_DIR"])
    uid = environment["RESTORE_UID"]
    restores = restore_folders(data, logs, uid)
    if swap_of(data, uid) is Swap.NONE:
        if not is_staged(restores):
            raise NotStaged(f"What was staged in {restores[0].folder} is not all there any more.")
        _disarm_others(data, restores)
        for restore in reversed(restores):
            write_file(restore.armed, "")
            sync_folder(restore.folder)
    result: dict[str, Any] = read_staged(restores[0])["result"]
    return {"armed": True, **result}


def _disarm_others(data: Path, restores: tuple[RestoreFolder, ...]) -> None:
    for restore in restores:
        for armed in restore.folder.parent.glob("*/armed"):
            uid = armed.parent.name
            if armed == restore.armed:
                continue
            if swap_of(data, uid) is Swap.HALF:
                raise HeldByAnother(
                    f"{data / RESTORES / uid}: the restore {uid} was begun here and its server has "
                    "not started since: let it start first."
                )
            log.info("the restore %s is over on this volume", uid)
            armed.unlink()
            sync_folder(armed.parent)


if __name__ == "__main__":
    main()
