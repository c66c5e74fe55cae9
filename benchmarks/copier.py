"""The copier of a backup in a process of its own, as in a Job's pod."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from tests.backup_environment import backup_environment
from tests.contract.store_servers import RealSide

OBJECT_KEY = "bench/copier/once"
_numbers = count()
# A process inherits the peak that its parent had: only what the kernel keeps for its own memory
# counts.
_PROGRAM = """
import os, pathlib
from functions.adapters.stores.connect import connect
from functions.pods.copy_out import copy_out
copy_out(os.environ, lambda: connect(os.environ))
status = pathlib.Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""


def copier(folder: Path, side: RealSide, serving: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start to back a server's folder up, with the proof that is the default.

    `serving` says where the server is, if one serves; what is printed at the end is the most memory
    that the process had, in KiB.
    """
    described = backup_environment(
        folder, OBJECT_KEY=OBJECT_KEY, POD_NAME=f"pod-{next(_numbers)}", **serving
    )
    environment = {**os.environ, **side.server.environment(side.bucket), **described}
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
