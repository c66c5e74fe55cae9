"""What this server's volume holds right now, as the agent answers it to `GET /disk`.

It is what a person must know after a majority of the disks was lost: which servers still hold
data, up to which transaction, and which member list they would start from.
"""

from __future__ import annotations

from typing import Any

from functions.pods.disk import Folders, read_disk
from functions.pods.txn_log import last_zxid

_FILES = "version-2"


def disk_report(folders: Folders) -> dict[str, Any]:
    """Return `isEmpty`, `zxid` (hexadecimal, or None) and the ids of the server's own list.

    Raises OSError when the volume cannot be read.
    """
    seen = read_disk(folders)
    zxid = last_zxid(folders.data / _FILES, folders.log / _FILES)
    return {
        "isEmpty": seen.is_empty,
        "zxid": None if zxid is None else f"{zxid:#x}",
        "members": sorted(seen.members),
    }
