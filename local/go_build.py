"""Build one program with Go, whole or not at all.

A program is made in a folder of its own and renamed when it is complete, so that an interrupted
build leaves nothing half-written; whoever comes meanwhile waits and finds it. Its modules are what
Go's checksum database, or the go.sum of the module, says they are.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Of an idle machine the largest takes minutes; a busy one may need many times as long.
BUILD_SECONDS = 3600
STRIPPED = "-s -w"

Say = Callable[[str], None]


class NoBinaries(Exception):
    """A program is not there and cannot be built; says what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a program is built from: a package of the module in a folder, or `package@version`."""

    package: str
    module: Path | None = None
    flags: tuple[str, ...] = ()
    linker: str = STRIPPED

    def command(self, go: str, output: Path) -> list[str]:
        """Return what builds it; of a package with a version Go itself chooses the file's name."""
        shared = ("-trimpath", "-ldflags", self.linker)
        if self.module is None:
            return [go, "install", *self.flags, *shared, self.package]
        return [go, "build", *self.flags, *shared, "-o", str(output), self.package]


def build(program: Path, source: Source, say: Say, *, takes: str, instead: str = "") -> Path:
    """Build the program unless it is there; raises NoBinaries, which tells what to do `instead`."""
    go = shutil.which("go")
    if go is None:
        raise NoBinaries(
            f"{program.name} is not in the cache and Go is not installed: install Go 1.26 or newer "
            f"from go.dev{instead}."
        )
    program.parent.mkdir(parents=True, exist_ok=True)
    with _locked(program.with_name(f".{program.name}.lock")):
        if not os.access(program, os.X_OK):
            say(f"building {program.name} ({takes})")
            started = time.monotonic()
            _build(go, source, program)
            say(f"built {program.name} in {time.monotonic() - started:.0f} s")
    return program


def _build(go: str, source: Source, program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=program.parent) as made:
        output = Path(made, program.name)
        try:
            subprocess.run(
                source.command(go, output),
                cwd=source.module,
                env={**os.environ, "CGO_ENABLED": "0", "GOBIN": made},
                timeout=BUILD_SECONDS,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            raise NoBinaries(
                f"{source.package} did not build (go ended with {error.returncode}, its reason is "
                "above)"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise NoBinaries(f"{source.package} was not built within {BUILD_SECONDS} s") from error
        output.rename(program)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process build at a time; the others find what it built."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
