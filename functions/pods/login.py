"""Writing whom the server knows, from a pod's Secrets, before it starts.

The file is in memory and read by the server's own user alone; nothing of it is ever logged.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from functions.planning.users import UnusableUser, User, jaas, read_users, users_hash

log = logging.getLogger("login")


def write_users(environment: Mapping[str, str], moments: Iterable[None]) -> bool:
    """Write the file that the environment names; false when a Secret is not usable.

    A pod is made for certain users, and kubelet may bring in their Secrets as they were before: so
    it is looked again at each moment, and what is there is taken when there are no more.
    """
    if "LOGIN_FILE" not in environment:
        return True
    secrets, digest = Path(environment["USER_SECRETS"]), environment["SUPER_DIGEST"]
    users, told = _read(secrets)
    for _ in moments:
        if users is not None and users_hash(users, digest) == environment["USERS"]:
            break
        users, told = _read(secrets)
    if users is None:
        log.error("giving up: %s", told)
        return False
    _write(Path(environment["LOGIN_FILE"]), jaas(users, digest))
    log.info("%s can log in", ", ".join(user.name for user in users))
    return True


def _read(secrets: Path) -> tuple[tuple[User, ...] | None, str]:
    """Return the users, or why there are none to be read."""
    try:
        # Through the link once, so that all files are of one moment.
        present = (secrets / "..data").resolve(strict=True)
        folders = sorted(path for path in present.iterdir() if path.is_dir())
        return read_users({folder.name: _files(folder) for folder in folders}), ""
    except (OSError, UnusableUser) as error:
        return None, str(error)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
