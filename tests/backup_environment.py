"""What the Job of a backup tells its program, for whoever runs that program by hand."""

from __future__ import annotations

import os
from pathlib import Path

OBJECT_KEY = "default/nightly/once"


def backup_environment(folder: Path, **more: str) -> dict[str, str]:
    """Return it for a server that keeps its files in `folder` and does not serve."""
    return {
        "OBJECT_KEY": OBJECT_KEY,
        "POD_NAME": "pod",
        "SNAPSHOT_DIR": str(folder),
        "LOG_DIR": str(folder),
        "SERVER_HOST": "",
        "CLIENT_PORT": "2181",
        "CLUSTER": "zk",
        "SERVER": "zk-0",
        "SERVER_ID": "1",
        "ZK_VERSION": "3.9.5",
        "MEMBERS": "[]",
        "METHOD": "files",
        "VERIFY": "true",
        "TIMEOUT_SECONDS": "600",
        "TERMINATION_LOG": os.devnull,
        "PROGRESS_PORT": "0",
        **more,
    }
