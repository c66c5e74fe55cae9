"""Install what a machine lacks, or say how: `python3 -m local.setup`, before anything else runs.

It uses the standard library alone, since it runs before the environment exists.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.control_plane import binaries
from local.platform import requirements

APT_SECONDS = 600
OLDEST_PYTHON = (3, 11)


def main() -> int:
    """Return 0 when everything is there; otherwise say each missing thing in one line."""
    if sys.version_info < OLDEST_PYTHON:
        print(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    if packages := _missing_packages():
        _install(packages)
    problems = [*requirements.missing(), *_missing_python(), *_missing_go()]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _missing_packages() -> list[str]:
    path = f"{os.environ.get('PATH', '')}:{requirements.SYSTEM_FOLDERS}"
    absent = {
        package
        for program, package in requirements.PROGRAMS.items()
        if shutil.which(program, path=path) is None
    }
    return sorted(absent)


def _install(packages: list[str]) -> None:
    """Install Debian packages where that is allowed; what is still missing is said afterwards."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"installing {', '.join(packages)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            timeout=APT_SECONDS,
            check=False,
            text=True,
        )
        if done.returncode != 0:
            print(f"{' '.join(command[:2])} failed: {done.stderr.strip()[-300:]}", file=sys.stderr)


def _missing_python() -> list[str]:
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        return ["Python's venv is not installed: install it with `apt-get install python3-venv`."]
    return []


def _missing_go() -> list[str]:
    """Go is needed only while one of the control plane's programs has to be built."""
    unbuilt = [name for name in binaries.COMMANDS if binaries.find(name) is None]
    if not unbuilt or shutil.which("go") is not None:
        return []
    return [
        f"`go` is not installed and {', '.join(unbuilt)} must be built once: install Go 1.26 or "
        "newer, or set KUBEBUILDER_ASSETS to a folder that has them "
        f"(looked in {Path(binaries.cache_folder())})."
    ]


if __name__ == "__main__":
    sys.exit(main())
