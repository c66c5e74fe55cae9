"""Put the kubectl plugin of this checkout beside the platform's kubectl, where kubectl finds it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from local.platform.parts import CHECKOUT

# File name to what Python is told: the names are kubectl's own rule.
PROGRAMS = {
    "kubectl-zk": "-m kubectl_zk",
    "kubectl_complete-zk": '-c "from kubectl_zk.__main__ import complete; complete()"',
}


def write_plugin(folder: Path) -> None:
    """Write the programs into `folder`, which a user has on PATH."""
    python = f"PYTHONPATH={shlex.quote(str(CHECKOUT))} exec {shlex.quote(sys.executable)}"
    for name, told in PROGRAMS.items():
        path = folder / name
        path.write_text(f'#!/bin/sh\n{python} {told} "$@"\n')
        path.chmod(0o755)
