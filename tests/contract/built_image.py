"""The image, really built: `make image` with buildah, on a base made of Debian's packages.

The base is what the Containerfile asks of one (Python 3.11 as `python`, pip), without the byte code
of Python's own library, as the official image is. What is built, and all of buildah's own, is in
one folder, and goes with it.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import setup
from tests import pages
from tests.contract.api_server import REPOSITORY

# The program and the Debian package that brings it.
PROGRAMS: Mapping[str, str] = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}
PACKAGES = "python3,python3-pip,python-is-python3,ca-certificates"
WITHOUT_BYTE_CODE = 'find "$1/usr/lib" -name "*.pyc" -delete'
BASE = "localhost/debian-python"
SECONDS = 1200
# What the build takes, and what it must leave alone.
SOURCES = (
    *("Makefile", "Containerfile", ".dockerignore", "LICENSE", "Procfile", "README.md"),
    *("functions", "requirements", "local", "tests/events"),
)
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "default-timeout")


@dataclass(frozen=True, slots=True)
class Image:
    """Two root file systems, what the image says of itself, and how long its build took."""

    base: Path
    root: Path
    config: Mapping[str, Any]
    seconds: float

    def command(self, words: Sequence[str], user: int, env: Mapping[str, str]) -> list[str]:
        """Return what runs a program of the image as a pod does: of its root only /tmp is written.

        The user is a real one, so that the modes of the image's files mean what they say.
        """
        told = dict(each.split("=", 1) for each in self.config["Env"]) | dict(env)
        variables = [word for name, value in told.items() for word in ("--setenv", name, value)]
        return [
            *("bwrap", "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--clearenv"),
            *("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", *variables),
            *("--ro-bind", str(self.root), "/", "--proc", "/proc", "--dev", "/dev"),
            *("--perms", "1777", "--tmpfs", "/tmp", "--chdir", self.config["WorkingDir"]),
            *("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"),
            *words,
        ]


@contextmanager
def built(folder: Path) -> Iterator[Image]:
    """Build it in this folder, which is empty afterwards."""
    _have_programs()
    buildah = _Buildah(folder)
    buildah.make_base()
    started = time.monotonic()
    name = buildah.make_image(_sources(folder / "sources"))
    seconds = time.monotonic() - started
    try:
        yield Image(buildah.mounted(BASE), buildah.mounted(name), buildah.config(name), seconds)
    finally:
        buildah.run("rm", "--all")
        shutil.rmtree(folder)


def _have_programs() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root builds an image here: others need subordinate ids for that")
    if _missing():
        setup.install(_missing())
    wanted = " ".join(_missing())
    assert not wanted, f"an image is built with what is missing here: `apt-get install {wanted}`"


def _missing() -> list[str]:
    return [package for program, package in PROGRAMS.items() if shutil.which(program) is None]


def _sources(folder: Path) -> Path:
    """Copy what a checkout has, as one under a strict umask: none of it for other users."""
    for name in SOURCES:
        source, to = REPOSITORY / name, folder / name
        to.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, to)
        else:
            shutil.copy(source, to)
    subprocess.run(["chmod", "-R", "go-rwx", str(folder)], timeout=SECONDS, check=True)
    return folder


class _Buildah:
    """buildah, with its images and its settings in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        settings = folder / "storage.conf"
        settings.write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/images"\nrunroot = "{folder}/run"\n'
        )
        self._env = {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(settings),
            "BUILDAH_ISOLATION": "chroot",
        }

    def run(self, *words: str, program: str = "buildah", at: Path | None = None) -> str:
        """Run it; fails with what it said."""
        done = subprocess.run(
            [program, *words], cwd=at or self._folder, env=self._env, timeout=SECONDS,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{program} {words}: {(done.stdout + done.stderr)[-4000:]}"
        return done.stdout.strip()

    def make_base(self) -> None:
        self.run(
            *("--variant=essential", f"--include={PACKAGES}", "--skip=output/dev"),
            *("--customize-hook", WITHOUT_BYTE_CODE, "bookworm", "base.tar"),
            program="mmdebstrap",
        )
        (self._folder / "Base").write_text("FROM scratch\nADD base.tar /\n")
        self.run("build", "-f", "Base", "-t", BASE, ".")
        (self._folder / "base.tar").unlink()

    def make_image(self, sources: Path) -> str:
        """Run the command of the documentation; return the name of the image."""
        (command, *_) = pages.commands(REPOSITORY / "docs/operations/install.md", "The image")
        program, *words = shlex.split(command)
        flags = f"BUILD_FLAGS={' '.join(self._secrets())}"
        self.run(*words, "ENGINE=buildah", f"BASE={BASE}", flags, program=program, at=sources)
        return dict(word.split("=", 1) for word in words if "=" in word)["IMAGE"]

    def _secrets(self) -> Iterator[str]:
        """Yield the flags that tell pip in the build what it is told here."""
        listed = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"],
            capture_output=True, text=True, timeout=SECONDS, check=True,
        ).stdout  # fmt: skip
        known = {
            name.rpartition(".")[2]: shlex.split(value)[0]
            for name, _, value in (line.partition("=") for line in listed.splitlines())
        }
        lines = [f"{name} = {known[name]}" for name in PIP_SETTINGS if name in known]
        if "cert" in known:
            lines.append("cert = /run/secrets/ca.crt")
            yield f"--secret id=ca.crt,src={known['cert']}"
        settings = self._folder / "pip.conf"
        settings.write_text("\n".join(["[global]", *lines, ""]))
        yield f"--secret id=pip.conf,src={settings}"

    def config(self, image: str) -> dict[str, Any]:
        """Return what a runtime is told about the image."""
        found: dict[str, Any] = json.loads(self.run("inspect", "--type=image", image))
        said: dict[str, Any] = found["OCIv1"]["config"]
        return said

    def mounted(self, image: str) -> Path:
        """Return the folder with the image's files."""
        return Path(self.run("mount", self.run("from", "--pull-never", image)))
