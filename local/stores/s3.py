"""The S3 server: rclone over a folder. It checks signatures, and objects are plain files."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from local.stores.place import Credentials


def program() -> str:
    """rclone beside the Python that runs this, or in the search path; SystemExit without any."""
    beside = Path(sys.executable).with_name("rclone")
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if found is None:
        raise SystemExit("rclone, the S3 server, is not installed: `make setup` brings it.")
    return found


def command_line(folder: Path, address: str) -> list[str]:
    """Serve the buckets in `folder` at HOST:PORT; nothing of the user's own rclone is read."""
    cache = str(folder.with_name("cache"))
    return [
        program(),
        "serve",
        "s3",
        "--config=",
        f"--cache-dir={cache}",
        f"--addr={address}",
        str(folder),
    ]


def environment(keys: Credentials) -> dict[str, str]:
    """The keys are no part of the command line: whoever lists processes must not see them."""
    return {"RCLONE_AUTH_KEY": f'"{keys.access_key},{keys.secret_key}"'}
