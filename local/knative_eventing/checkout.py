"""A checkout of knative/eventing: its programs, built once for each state that it is in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from local.control_plane.binaries import cache_folder
from local.go_build import Say, Source, build

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
    for command in PROGRAMS:
        program = target / program_file(command)
        if not os.access(program, os.X_OK):
            source = Source(f"./cmd/{command}", folder, ("-mod=vendor", "-buildvcs=false"))
            build(program, source, say, takes="the first takes minutes, the others seconds")
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
