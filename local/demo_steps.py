"""What the parts of the demo share: how they fail, look at objects, and touch the data."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from local.kube import Object
from local.platform.handle import Platform

POLL_SECONDS = 0.25

Answer = TypeVar("Answer")
Say = Callable[[str], None]


class DemoFailed(Exception):
    """The demo did not come to its end; says what to look at."""


def until(
    look: Callable[[], Answer | None], seconds: float, otherwise: Callable[[], str]
) -> Answer:
    """Return the first true answer of `look`; after the deadline, DemoFailed says `otherwise`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise DemoFailed(otherwise())
        time.sleep(POLL_SECONDS)
    return found


def read_object(platform: Platform, *words: str) -> Object:
    """Return what `kubectl WORDS` finds."""
    answer: Object = json.loads(platform.kubectl(*words, "-o", "json").stdout)
    return answer


def write_znode(platform: Platform, cluster: Object, text: str, say: Say) -> None:
    """Write the demo's znode through the Service for clients."""
    _znode(platform, say, "write", text, cluster["status"]["endpoints"]["client"])


def read_znode(platform: Platform, cluster: Object, text: str, say: Say) -> None:
    """Read the demo's znode from each server by its name; raises DemoFailed if it is not `text`."""
    status = cluster["status"]
    servers = [f"{server['name']}.{status['service']}" for server in status["servers"]]
    _znode(platform, say, "read", text, str(cluster["spec"]["config"]["clientPort"]), *servers)


def _znode(platform: Platform, say: Say, *words: str) -> None:
    done = platform.run(sys.executable, "-m", "local.znode", *words, check=False)
    if done.returncode != 0:
        raise DemoFailed(f"to {words[0]} a znode failed: {done.stderr.strip()[-400:]}")
    for line in done.stdout.splitlines():
        say(f"  {line}")
