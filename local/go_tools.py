"""Programs that only tests use, built once from their Go modules at exact versions.

As with the control plane, a build goes to a temporary folder and is renamed when it is complete,
and its modules are what Go's checksum database says they are. Nothing is built before it is needed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.control_plane.binaries import BUILD_SECONDS, NoBinaries, Say, cache_folder

# The name of a program to its package and version.
TOOLS: Mapping[str, tuple[str, str]] = {
    "helm": ("helm.sh/helm/v3/cmd/helm", "v3.21.4"),
}


def ensure(name: str, say: Say) -> Path:
    """Return the program's path, building it if need be; raises NoBinaries."""
    package, version = TOOLS[name]
    folder = cache_folder() / "tools" / version
    program = folder / name
    if os.access(program, os.X_OK):
        return program
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / f"{name}.lock"):
        if not os.access(program, os.X_OK):
            say(f"building {name} {version} (once, some minutes)")
            _build(name, f"{package}@{version}", folder)
    return program


def _build(name: str, package: str, folder: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise NoBinaries(
            f"{name} is not in the cache and Go is not installed: install Go 1.26 or newer from "
            f"go.dev, or put {name} into {folder}."
        )
    with tempfile.TemporaryDirectory(dir=folder) as made:
        environment = {**os.environ, "CGO_ENABLED": "0", "GOBIN": made}
        command = [go, "install", "-trimpath", "-ldflags", "-s -w", package]
        try:
            subprocess.run(command, env=environment, timeout=BUILD_SECONDS, check=True)
        except subprocess.CalledProcessError as error:
            raise NoBinaries(f"{package} did not build: its reason is above") from error
        except subprocess.TimeoutExpired as error:
            raise NoBinaries(f"{package} was not built within {BUILD_SECONDS} s") from error
        Path(made, name).rename(folder / name)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process build at a time; the others find what it built."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
