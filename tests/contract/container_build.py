"""The Containerfile's steps without a container engine: into folders, in a sandbox.

Each stage is a folder. COPY copies into it; RUN runs the command in a sandbox in which /venv and
/app are that folder's. One step is another one here: what pip would fetch is copied from the
environment of the tests, which has the very versions of requirements/runtime.txt.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from tests.contract.api_server import REPOSITORY

SECONDS = 120
PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)
# Where a base image has Python; the laptop's is put there.
PYTHON = "/usr/local/python"


@dataclass
class Stage:
    """What one FROM came to: its files, and what its programs are told."""

    name: str
    root: Path
    workdir: str = "/"
    user: str = "0"
    env: dict[str, str] = field(default_factory=dict)

    def path(self, inside: str) -> Path:
        """Return where a path of the image is on this machine."""
        whole = inside if inside.startswith("/") else f"{self.workdir}/{inside}"
        return self.root / whole.strip("/").removeprefix("./").removesuffix("/.")

    def command(self, words: Sequence[str], *, user: int, writable: bool = False) -> list[str]:
        """Return the command line that runs a program of the image."""
        bind = "--bind" if writable else "--ro-bind"
        told = {"PATH": f"{PYTHON}/bin:/usr/bin:/bin", **self.env}
        told["PATH"] = f"{told['PATH']}:{PYTHON}/bin"
        variables = [word for name, value in told.items() for word in ("--setenv", name, value)]
        system = [
            w for name in ("/lib", "/lib64", "/bin") for w in ("--symlink", f"usr{name}", name)
        ]
        own = [w for name in ("/venv", "/app") for w in (bind, str(self.root / name[1:]), name)]
        return [
            *("bwrap", "--die-with-parent", "--unshare-user", "--unshare-pid", "--clearenv"),
            *("--uid", str(user), "--gid", str(user), *variables),
            *("--ro-bind", "/usr", "/usr", *system, "--ro-bind", "/etc", "/etc"),
            *("--ro-bind", sys.base_prefix, sys.base_prefix, "--proc", "/proc", "--dev", "/dev"),
            *("--tmpfs", "/usr/local", "--symlink", sys.base_prefix, PYTHON),
            *(*own, "--chdir", self.workdir, "--remount-ro", "/usr/local", "--remount-ro", "/"),
            *words,
        ]


def instructions(file: Path) -> Iterator[tuple[str, str]]:
    """Return the instructions of a Containerfile: (word, the rest)."""
    for line in file.read_text().splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def build(folder: Path, context: Path = REPOSITORY) -> Stage:
    """Go through every instruction; return the last stage, as the image would be."""
    stages: dict[str, Stage] = {}
    for word, rest in instructions(context / "Containerfile"):
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "image"
            stage = stages[name] = Stage(name, folder / name)
            for at in ("venv", "app"):
                (stage.root / at).mkdir(parents=True)
        elif word == "COPY":
            _copy(shlex.split(rest), stage, stages, context)
        elif word == "RUN":
            _run(shlex.split(rest), stage)
        else:
            _describe(word, rest, stage)
    return stage


def _describe(word: str, rest: str, stage: Stage) -> None:
    """Note what an instruction says of the stage beside its files."""
    if word == "ENV":
        stage.env.update(dict(each.split("=", 1) for each in shlex.split(rest)))
    elif word == "WORKDIR":
        stage.workdir = rest
    elif word == "USER":
        stage.user = rest


def sources(context: Path = REPOSITORY) -> list[str]:
    """Return what the build takes from the repository."""
    copied = [shlex.split(rest) for word, rest in instructions(context / "Containerfile")
              if word == "COPY"]  # fmt: skip
    return [each for words in copied if not words[0].startswith("--from") for each in words[:-1]]


def _copy(words: list[str], stage: Stage, stages: Mapping[str, Stage], context: Path) -> None:
    origin = None
    if words[0].startswith("--from="):
        origin = stages[words.pop(0).removeprefix("--from=")]
    *given, target = words
    for name in given:
        source = origin.path(name) if origin else context / name
        to = stage.path(target)
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__") if origin is None else None
            shutil.copytree(source, to, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        else:
            to = to / source.name if target.endswith("/") else to
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, to)


def _run(words: list[str], stage: Stage) -> None:
    if words[0] == "pip":
        return _install(stage)
    command = stage.command(words, user=0, writable=True)
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return None


def _install(stage: Stage) -> None:
    """Copy what requirements/runtime.txt names, and nothing else, from the tests' environment."""
    (packages,) = stage.root.glob("venv/lib/python3*/site-packages")
    pinned = PINNED.findall(stage.path("requirements/runtime.txt").read_text())
    assert pinned
    for name, version in pinned:
        distribution = metadata.distribution(name)
        assert distribution.version == version, f"{name}: run `make setup`"
        for file in distribution.files or ():
            _install_file(Path(str(distribution.locate_file(file))), str(file), packages, stage)


def _install_file(source: Path, name: str, packages: Path, stage: Stage) -> None:
    if "__pycache__" in name or not source.is_file():
        return
    if name.startswith("../../../bin/"):
        to = stage.root / "venv" / "bin" / source.name
        lines = source.read_text().splitlines(keepends=True)
        to.write_text("".join(["#!/venv/bin/python\n", *lines[1:]]))
        to.chmod(0o755)
    else:
        to = packages / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, to)
