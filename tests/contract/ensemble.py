"""Real ZooKeeper servers on loopback addresses, for the contract tests."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from local.node.pull import fetch
from tests.contract.class_archive import JVM, SERVER, archived_classes, class_path
from tests.contract.processes import running

VERSION = "3.9.5"
PORT = 2181

_networks: Iterator[int] = itertools.count(1)


@dataclass(slots=True)
class RealEnsemble:
    """Servers of one member list, each on its own loopback address and the standard ports."""

    folder: Path
    lines: list[str]
    password: str = "secret"
    reconfig: bool = True
    version: str = VERSION
    heap: str = "64m"
    settings: Mapping[str, str] = field(default_factory=dict)
    flags: Sequence[str] = ()
    running: dict[int, ExitStack] = field(default_factory=dict)

    def start(self, *ids: int, extra: str = "", version: int = 0) -> None:
        """Start servers; `extra` are lines a joiner adds to its list, which is of `version`."""
        for id in ids:
            home = self.folder / str(id)
            if not home.exists():
                self._prepare(id, home, extra, f".{version:x}" if version else "")
            stack = ExitStack()
            stack.enter_context(running(self._command(home), home / "log", cwd=home))
            self.running[id] = stack

    def stop(self, *ids: int) -> None:
        """Stop servers; their data stays."""
        for id in ids:
            self.running.pop(id).close()

    def _prepare(self, id: int, home: Path, extra: str, suffix: str) -> None:
        (home / "data").mkdir(parents=True)
        (home / "data" / "myid").write_text(f"{id}\n")
        members = home / f"members{suffix}"
        members.write_text("\n".join([*self.lines, *([extra] if extra else [])]) + "\n")
        settings = {
            "tickTime": 500,
            "initLimit": 20,
            "syncLimit": 10,
            "dataDir": home / "data",
            "dynamicConfigFile": members,
            "standaloneEnabled": "false",
            "reconfigEnabled": str(self.reconfig).lower(),
            "4lw.commands.whitelist": "srvr,conf",
            "admin.enableServer": "false",
            **self.settings,
        }
        (home / "zoo.cfg").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))

    def _command(self, home: Path) -> list[str]:
        lib = asyncio.run(fetch(self.version)) / "lib"
        digest = hashlib.sha1(f"super:{self.password}".encode()).digest()
        authority = "zookeeper.DigestAuthenticationProvider.superDigest"
        return [
            "java",
            *(f"-Xmx{self.heap}", *JVM, *archived_classes(lib)),
            f"-D{authority}=super:{base64.b64encode(digest).decode()}",
            "-Dzookeeper.forceSync=no",
            *self.flags,
            *("-cp", class_path(lib)),
            SERVER,
            str(home / "zoo.cfg"),
        ]


def fresh_hosts(count: int) -> list[str]:
    """Return loopback addresses that no other test of this machine uses at the same time."""
    network = next(_networks)
    return [f"127.{64 + os.getpid() % 128}.{network}.{id}" for id in range(1, count + 1)]


def line(id: int, host: str) -> str:
    """Return the member list's line of a server on `host`."""
    return f"server.{id}={host}:2888:3888:participant;{host}:{PORT}"
