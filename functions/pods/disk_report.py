"""What this server's volume holds right now, as the agent answers it to `GET /disk`.

It is what a person must know after a majority of the disks was lost: which servers still hold
data, up to which transaction, and which member list they would start from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from functions.planning.member_list import PARTICIPANT, parse_member
from functions.pods.disk import Folders, read_disk
from functions.pods.last_zxid import last_zxid
from functions.pods.restore_folder import read_history


def disk_report(folders: Folders) -> dict[str, Any]:
    """Return `isEmpty`, `zxid` (hexadecimal, or None), `epoch`, and ids of the server's own list.

    `epoch` is the last one it followed a leader in: servers compare it first when they elect.
    `members` are all ids of the list, `voters` those that vote, `lines` is the list as it is.
    `restored` is the uid of the restore that the data comes from, None if it comes from none;
    while that restore is under way, its swap is complete on this volume.
    Raises OSError when the volume cannot be read.
    """
    seen = read_disk(folders)
    zxid = last_zxid(folders.snapshots, folders.logs)
    return {
        "isEmpty": seen.is_empty,
        "zxid": None if zxid is None else f"{zxid:#x}",
        "epoch": _epoch(folders.snapshots / "currentEpoch"),
        "members": sorted(seen.members),
        "voters": sorted(n for n, address in seen.members.items() if _votes(n, address)),
        "restored": read_history(folders.data) or None,
        "lines": [f"server.{number}={seen.members[number]}" for number in sorted(seen.members)],
    }


def _epoch(file: Path) -> int:
    """Return what the file says; a server that never followed a leader has none, or -1."""
    try:
        return max(0, int(file.read_text()))
    except (FileNotFoundError, ValueError):
        return 0


def _votes(number: int, address: str) -> bool:
    return parse_member(f"server.{number}={address}").role == PARTICIPANT
