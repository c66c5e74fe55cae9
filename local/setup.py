"""Install what a machine lacks, or say how: `python3 -m local.setup`, before anything else runs.

It uses the standard library alone, since it runs before the environment exists. Older Pythons than
we need can read this file, so that one of them is told so instead of failing at our syntax.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys

APT_SECONDS = 600
OLDEST_PYTHON = (3, 11)


def main() -> int:
    """Return 0 when everything is there; otherwise say each missing thing in one line."""
    if sys.version_info < OLDEST_PYTHON:
        print(
            f"Python 3.11 or newer is needed, and {sys.executable} is {sys.version.split()[0]}: "
            "install it, and say which it is with `make PYTHON=python3.11 ...`.",
            file=sys.stderr,
        )
        return 1
    return _complete()


def _complete() -> int:
    from local.platform import requirements

    packages = _missing_packages()
    if packages:
        install(packages)
    problems = [*requirements.missing(), *_missing_python(), *_missing_go()]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _missing_packages() -> list[str]:
    from local.platform import requirements

    path = f"{os.environ.get('PATH', '')}:{requirements.SYSTEM_FOLDERS}"
    absent = {
        package
        for program, package in requirements.PROGRAMS.items()
        if shutil.which(program, path=path) is None
    }
    return sorted(absent if _has_venv() else {*absent, "python3-venv"})


def install(packages: list[str]) -> None:
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
    if _has_venv():
        return []
    return ["Python's venv is not installed: install it with `apt-get install python3-venv`."]


def _has_venv() -> bool:
    importlib.invalidate_caches()
    return all(importlib.util.find_spec(name) is not None for name in ("venv", "ensurepip"))


def _missing_go() -> list[str]:
    """Go is needed only while one of the control plane's programs has to be built."""
    from local.control_plane import binaries

    unbuilt = [name for name in binaries.COMMANDS if binaries.find(name) is None]
    if not unbuilt or shutil.which("go") is not None:
        return []
    return [
        f"`go` is not installed and {', '.join(unbuilt)} must be built once: install Go 1.26 or "
        "newer, or set KUBEBUILDER_ASSETS to a folder that has them "
        f"(looked in {binaries.cache_folder()})."
    ]


if __name__ == "__main__":
    sys.exit(main())
