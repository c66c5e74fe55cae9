"""What Prometheus is told beside a server: whether it serves, how full its volumes are.

And where the server has no metrics of its own, those too, under the names its own would have: so
rules and dashboards do not depend on which image an ensemble runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from functions.planning.exposition import CONTENT_TYPE, Family, exposition, gauge
from functions.pods.disk import Folders
from functions.pods.endpoints import Endpoint, Reply
from functions.pods.role import HOST, NO_ROLE, first_role
from functions.pods.server_reports import ask_first

_ROW = re.compile(r"^zk_(\w+)(\{[^{}\n]*\})?\t(-?[0-9][0-9.eE+-]*|NaN)\r?$", re.MULTILINE)
# What the server calls the parts of a summary, and what Prometheus does.
_PARTS = {"sum": "sum", "cnt": "count"}


def metrics(
    folders: Folders, ports: tuple[int, ...], host: str = HOST
) -> dict[str, Mapping[str, Endpoint]]:
    """Return the endpoints for Prometheus; the server answers at one of `ports`."""

    def own() -> str:
        return exposition((*_serving(first_role(host, ports)), *_volumes(folders)))

    return {
        "/metrics": {"GET": lambda _: Reply(own(), type=CONTENT_TYPE)},
        "/metrics/server": {
            "GET": lambda _: Reply(of_server(ask_first("mntr", host, ports)), type=CONTENT_TYPE)
        },
    }


def _serving(role: str) -> Iterator[Family]:
    is_serving = role != NO_ROLE
    yield gauge(
        "zookeeper_server_serving", "1 while the server serves in a quorum.", (is_serving, {})
    )
    yield gauge("zookeeper_server_role", "Always 1: the role is a label.", (1, {"role": role}))


def _volumes(folders: Folders) -> Iterator[Family]:
    """Return the room on each volume; of one that cannot be read nothing is known."""
    found = {"data": folders.data, "log": folders.log}
    if folders.data == folders.log:
        del found["log"]
    room = {name: at for name, folder in found.items() if (at := _room(folder))}
    for index, (part, help) in enumerate(
        (("size", "How much a volume holds."), ("available", "How much of it is left."))
    ):
        samples = ((at[index], {"volume": name}) for name, at in room.items())
        yield gauge(f"zookeeper_volume_{part}_bytes", help, *samples)


def _room(folder: Path) -> tuple[int, int] | None:
    try:
        told = os.statvfs(folder)
    except OSError:
        return None
    return told.f_frsize * told.f_blocks, told.f_frsize * told.f_bavail


def of_server(mntr: str) -> str:
    """Return the numbers in an answer to `mntr`; there are none while the server serves nobody."""
    rows = (f"{_name(row[1])}{row[2] or ''} {row[3]}\n" for row in _ROW.finditer(mntr))
    return "".join(rows)


def _name(told: str) -> str:
    """Return the name that the server's own metrics have: `sum_readlatency`, `readlatency_sum`."""
    part, _, rest = told.partition("_")
    return f"{rest}_{_PARTS[part]}" if part in _PARTS else told
