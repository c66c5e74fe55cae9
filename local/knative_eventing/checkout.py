"""A checkout of knative/eventing: its programs, built once for each state that it is in."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from local.control_plane.binaries import BUILD_SECONDS, STRIPPED, NoBinaries, Say, cache_folder

# What a Broker on the in-memory channel, its Triggers and the two sources need.
PROGRAMS = (
    "controller",
    "webhook",
    "apiserver_receive_adapter",
    "mtping",
    "broker/filter",
    "broker/ingress",
    "mtchannel_broker",
    "in_memory/channel_controller",
    "in_memory/channel_dispatcher",
)
MODULE = "module knative.dev/eventing"


class NoCheckout(Exception):
    """The folder is not a checkout of knative/eventing; says what to do."""


def check(folder: Path) -> None:
    """Raise NoCheckout for a folder that Knative Eventing cannot be built from."""
    go_mod = folder / "go.mod"
    if not go_mod.is_file() or MODULE not in go_mod.read_text().splitlines():
        raise NoCheckout(
            f"{folder} is no checkout of knative/eventing (its go.mod is looked for). Get one with "
            "`git clone --branch knative-v1.22.2 https://github.com/knative/eventing`."
        )


def program_file(command: str) -> str:
    """Return the file that a command (`broker/filter`) is built as."""
    return command.replace("/", "-")


def ensure(folder: Path, say: Say) -> Path:
    """Return the folder with every program, building what is missing; raises NoBinaries."""
    target = cache_folder() / "knative-eventing" / fingerprint(folder)
    target.mkdir(parents=True, exist_ok=True)
    for command in PROGRAMS:
        if not os.access(target / program_file(command), os.X_OK):
            _build(folder, command, target, say)
    return target


def fingerprint(folder: Path) -> str:
    """Return what tells one state of the sources from another: names, sizes and times."""
    digest = hashlib.sha256()
    for path in sorted(_sources(folder)):
        seen = path.stat()
        digest.update(f"{path.relative_to(folder)} {seen.st_size} {seen.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _sources(folder: Path) -> Iterator[Path]:
    """Yield what the programs are made of; of the libraries their list of versions is enough."""
    yield folder / "go.mod"
    for part in ("cmd", "pkg"):
        yield from (folder / part).rglob("*.go")


def _build(folder: Path, command: str, target: Path, say: Say) -> None:
    go = shutil.which("go")
    if go is None:
        raise NoBinaries("Go is not installed, and Knative Eventing is built with it: see go.dev.")
    say(f"building Knative's {command} (the first takes minutes, the others seconds)")
    started = time.monotonic()
    unfinished = target / f".{program_file(command)}.{os.getpid()}"
    try:
        _go_build(go, folder, command, unfinished)
        unfinished.rename(target / program_file(command))
    finally:
        unfinished.unlink(missing_ok=True)
    say(f"built {command} in {time.monotonic() - started:.0f} s")


def _go_build(go: str, folder: Path, command: str, output: Path) -> None:
    flags = ("-mod=vendor", "-buildvcs=false", "-trimpath", "-ldflags", STRIPPED)
    words = [go, "build", *flags, "-o", str(output), f"./cmd/{command}"]
    try:
        subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, "CGO_ENABLED": "0"},
            timeout=BUILD_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise NoBinaries(
            f"{command} of {folder} did not build (go build ended with {error.returncode}, its "
            "reason is above)"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise NoBinaries(f"{command} was not built within {BUILD_SECONDS} s") from error
