"""Clean up after a restore: `python -m functions.pods.clean`, in a Job's pod with the volumes.

It removes what belongs to one restore and nothing else. The servers' own data is in it, until the
ensemble serves the backup's; so OUTCOME has to say what the restore came to, and a volume that is
not there yet is left alone: its server still needs what would be removed.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from functions.api.errors import FunctionError
from functions.planning.restoring import Swap
from functions.pods.outcome import Failed, leave, run
from functions.pods.restore_folder import (
    RestoreFolder,
    armed_for,
    read_history,
    restore_folders,
    swap_of,
    sync_folder,
)

log = logging.getLogger("clean")

RESTORED, KEPT = "restored", "kept"


class StillNeeded(FunctionError):
    """The server of this volume has not yet done what the others did."""

    is_final: ClassVar[bool] = False


def main() -> None:
    leave(run(lambda: clean(os.environ), os.environ))


def clean(environment: Mapping[str, str]) -> dict[str, Any]:
    """Remove what RESTORE_UID left; OUTCOME: `restored`, or `kept` where the own data stays."""
    outcome = environment.get("OUTCOME", "")
    if outcome not in (RESTORED, KEPT):
        raise Failed(f"OUTCOME is {outcome!r}: it must be `{RESTORED}` or `{KEPT}`.")
    data, logs = Path(environment["DATA_DIR"]), Path(environment["DATA_LOG_DIR"])
    uid = environment["RESTORE_UID"]
    restores = restore_folders(data, logs, uid)
    _check(data, logs, uid, outcome)
    # The log's first: while the data volume's is there, it says how far the swap is.
    removed = sum(_remove(restore) for restore in reversed(restores))
    return {"removed": removed}


def _check(data: Path, logs: Path, uid: str, outcome: str) -> None:
    swap, is_armed = swap_of(data, uid), armed_for(data, logs) == uid
    if outcome == KEPT and swap is not Swap.NONE:
        raise StillNeeded(
            f"{data} still has the backup's data in place: its server has to start once more, to "
            "take it back."
        )
    if outcome == RESTORED and is_armed and swap is not Swap.DONE:
        raise StillNeeded(
            f"{data} still has the data of before the restore{_of(read_history(data))}: its "
            "server has to start once more, to put the backup in place."
        )


def _of(history: str) -> str:
    return f" (that of the restore {history})" if history else ""


def _remove(restore: RestoreFolder) -> int:
    """Remove one folder, out of sight first: what is left of half of it would say something."""
    garbage = restore.folder.parent / "gone"
    gone = garbage / restore.folder.name
    removed = 0
    if gone.is_dir():
        removed += _delete(gone)
    if restore.folder.is_dir():
        garbage.mkdir(exist_ok=True)
        restore.folder.rename(gone)
        sync_folder(restore.folder.parent)
        removed += _delete(gone)
    for folder in (garbage, restore.folder.parent):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return removed


def _delete(folder: Path) -> int:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    shutil.rmtree(folder)
    return size


if __name__ == "__main__":
    main()
