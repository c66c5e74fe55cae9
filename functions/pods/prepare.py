"""Prepare one server before it starts: `python -m functions.pods.prepare`, the init container.

It decides which data this server starts from while a restore is under way and whether an empty disk
may vote, writes the configuration the server starts from and waits until the server's own name
resolves (otherwise it binds to nothing; zookeeper.md 4.2).
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar, assert_never

from functions.api.errors import FunctionError
from functions.api.manifest import Manifest
from functions.planning.preparation import (
    Found,
    Join,
    StartAsIs,
    Wait,
    needs_record,
    plan_preparation,
)
from functions.planning.restoring import (
    Apply,
    Hold,
    Keep,
    PutAside,
    Restoring,
    Revert,
    Swap,
    Verdict,
    plan_restoring,
)
from functions.pods import disk
from functions.pods.client_part import bind_clients
from functions.pods.disk import Folders
from functions.pods.login import write_users
from functions.pods.record import parse_record, parse_verdict, read_object
from functions.pods.restore_folder import read_volume, write_history
from functions.pods.server import Server
from functions.pods.stores import make_stores
from functions.pods.swap import apply_restore, revert_restore
from functions.pods.volumes import keep_together, put_aside

log = logging.getLogger("prepare")

Result = TypeVar("Result")

DEADLINE_SECONDS = 300.0
POLL_SECONDS = 0.25
SECRET_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Outside:
    """What the preparation asks: the API server for an object, the DNS for a name's addresses."""

    read: Callable[[str], Manifest | None]
    addresses: Callable[[str], set[str]]
    deadline_seconds: float = DEADLINE_SECONDS


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    return prepare(os.environ, Outside(read_object, _addresses))


@dataclass(frozen=True, slots=True)
class Decided:
    """What to do before the server starts, and what it was decided from."""

    preparation: StartAsIs | Found | Join
    verdict: Verdict
    fills: bool  # The disk is empty and the leader fills it.


def prepare(environment: Mapping[str, str], outside: Outside) -> int:
    """Prepare this pod's server; returns the exit code: 0 when it may start."""
    until = time.monotonic() + outside.deadline_seconds
    if not make_stores(environment) or not write_users(environment, _moments(until)):
        return 1
    server, folders = Server.described_by(environment), Folders.named_by(environment)
    if read_volume(folders).swap is not Swap.HALF:
        keep_together(folders)
    decided = _decide(server, folders, outside, until)
    if isinstance(decided, Wait):
        log.error("giving up: %s", decided.reason)
        return 1
    carry_out(decided, server, folders)
    return 0 if _name_resolves(server, outside, until) else 1


def _moments(until: float) -> Iterator[None]:
    """Yield now and then, as long as kubelet may take to bring a changed Secret into a pod."""
    end = min(until, time.monotonic() + SECRET_SECONDS)
    while time.monotonic() < end:
        yield
        time.sleep(POLL_SECONDS)


def _decide(server: Server, folders: Folders, outside: Outside, until: float) -> Decided | Wait:
    """Look until the server may start; the last Wait says what was missing at the deadline."""
    while True:
        decided: Decided | Restoring | Wait = _poll(lambda: _look(server, folders, outside), until)
        if isinstance(decided, Decided | Wait):
            return decided
        _swap(decided, server, folders)
        keep_together(folders)


def _look(server: Server, folders: Folders, outside: Outside) -> Decided | Restoring | Wait:
    """Decide once; the restore goes first, because what the disk holds depends on it.

    Both decisions are made from one answer of the API server: from two of them, an empty disk could
    join behind the open port what a restore has closed in between.
    """
    volume, seen = read_volume(folders), disk.read_disk(folders)
    asks = needs_record(server.id, seen)
    try:
        cluster = _cluster(server, outside)
        own = _volume(server, outside) if asks else ("", "")
    except FunctionError as error:
        if asks:
            return Wait(str(error))
        # A server with data waits for nobody, unless a restore has to be settled first.
        restoring = plan_restoring(volume, None)
        if isinstance(restoring, Hold):
            return Wait(f"{restoring.reason}: {error}")
        return Decided(StartAsIs(), Verdict(), fills=False)
    verdict = parse_verdict(cluster)
    restoring = plan_restoring(volume, verdict if cluster is not None else None)
    if isinstance(restoring, Hold):
        return Wait(restoring.reason)
    if not isinstance(restoring, Keep):
        return restoring
    preparation = plan_preparation(server.id, seen, parse_record(cluster), own)
    if isinstance(preparation, Wait):
        return preparation
    return Decided(preparation, verdict, fills=volume.is_empty and not volume.armed)


def _swap(restoring: Restoring, server: Server, folders: Folders) -> None:
    match restoring:
        case Apply(uid=uid):
            apply_restore(folders, uid, server.closed_port)
        case Revert(uid=uid):
            revert_restore(folders, uid)
        case PutAside(history=history):
            of = f"of the restore {history}" if history else "from before the last restore"
            put_aside(folders, f"the data of this disk is {of}")
        case Keep() | Hold():
            pass
        case _:
            assert_never(restoring)


def _cluster(server: Server, outside: Outside) -> Manifest | None:
    group = "/apis/zookeeper.example.com/v1alpha1"
    path = f"{group}/namespaces/{server.namespace}/zookeeperclusters/{server.cluster}"
    return outside.read(path)


def _volume(server: Server, outside: Outside) -> tuple[str, str]:
    """Return the (name, uid) under which this disk is on record: its claim's, or the pod's."""
    if not server.claim:
        return server.pod, server.pod_uid
    name = f"{server.claim}-{server.pod}"
    path = f"/api/v1/namespaces/{server.namespace}/persistentvolumeclaims/{name}"
    found = outside.read(path)
    return name, found["metadata"]["uid"] if found else ""


def _poll(look: Callable[[], Result | Wait], until: float) -> Result | Wait:
    said = ""
    while True:
        decided = look()
        if not isinstance(decided, Wait) or time.monotonic() > until:
            return decided
        if decided.reason != said:
            said = decided.reason
            log.info("waiting: %s", said)
        time.sleep(POLL_SECONDS)


def carry_out(decided: Decided, server: Server, folders: Folders) -> None:
    """Write what the decision needs; the marker last, so a crash before it leaves no voter."""
    disk.write_identity(folders, server.id)
    if decided.fills:
        write_history(folders.data, decided.verdict.restored)
    is_closed = decided.verdict.is_closed
    match decided.preparation:
        case StartAsIs():
            bind_clients(folders, server.inside, server.outside(is_closed=is_closed))
            disk.refresh_configuration(folders, is_closed=is_closed)
            log.info("server %s has data and its own list: it starts from its files", server.id)
        case Found(roles=roles):
            _write_list(roles, server, folders, is_closed=is_closed)
            disk.place_marker(folders)
            log.info("server %s may vote with its empty disk, among %s", server.id, sorted(roles))
        case Join(roles=roles, version=version):
            disk.remove_marker(folders)
            _write_list(roles, server, folders, version, is_closed=is_closed)
            log.info(
                "server %s joins the ensemble of %s without a marker", server.id, sorted(roles)
            )
        case _:
            assert_never(decided.preparation)


def _write_list(
    roles: dict[int, str],
    server: Server,
    folders: Folders,
    version: int = 0,
    *,
    is_closed: bool,
) -> None:
    lines = {
        number: server.line(number, role, is_closed=is_closed) for number, role in roles.items()
    }
    disk.write_members(folders, lines, version)
    disk.refresh_configuration(folders, is_closed=is_closed)


def _name_resolves(server: Server, outside: Outside, until: float) -> bool:
    while time.monotonic() < until:
        if server.address in outside.addresses(server.name):
            return True
        time.sleep(0.05)
    log.error("giving up: %s does not resolve to %s", server.name, server.address)
    return False


def _addresses(name: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, None)}
    except OSError:
        return set()


if __name__ == "__main__":
    sys.exit(main())
