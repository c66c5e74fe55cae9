"""Remove backups: `python -m functions.pods.prune`, in a Job's pod, for a backup's retention."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from functions.adapters.stores.connect import connect
from functions.adapters.stores.port import ObjectStore
from functions.backups.keys import key_below
from functions.backups.removing import remove_backup
from functions.pods.outcome import leave, run
from functions.pods.progress import served

log = logging.getLogger("prune")


def main() -> None:
    leave(run(lambda: prune(os.environ, lambda: connect(os.environ)), os.environ))


def prune(environment: Mapping[str, str], store: Callable[[], ObjectStore]) -> dict[str, Any]:
    """Remove the backups named by KEYS, all of which lie below OBJECT_KEY; return how many."""
    above = environment["OBJECT_KEY"]
    # All are looked at before the first is removed.
    keys = [key_below(line, above) for line in environment["KEYS"].splitlines() if line.strip()]
    with served(environment) as progress:
        progress.begin("removing")
        opened = store()
        for key in keys:
            count = remove_backup(opened, key)
            log.info("removed %s: %s objects", key, count)
    return {"deleted": len(keys)}


if __name__ == "__main__":
    main()
