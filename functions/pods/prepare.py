"""Prepare one server before it starts: `python -m functions.pods.prepare`, the init container.

It decides whether this disk may vote, writes the configuration the server starts from and waits
until the server's own name resolves (otherwise it binds to nothing; zookeeper.md 4.2).
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from functions.api.errors import FunctionError
from functions.api.manifest import Manifest
from functions.planning.preparation import (
    Disk,
    Found,
    Join,
    Preparation,
    Record,
    StartAsIs,
    Wait,
    needs_record,
    plan_preparation,
)
from functions.pods import disk
from functions.pods.disk import Folders
from functions.pods.record import parse_record, read_object
from functions.pods.volumes import keep_together

log = logging.getLogger("prepare")

DEADLINE_SECONDS = 300.0
POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Server:
    """Who this pod is and how its peers are addressed."""

    cluster: str
    namespace: str
    pod: str
    pod_uid: str
    address: str
    claim: str
    domain: str
    ports: tuple[str, str, str]

    @property
    def ordinal(self) -> int:
        return int(self.pod.rpartition("-")[2])

    @property
    def id(self) -> int:
        return self.ordinal + 1

    @property
    def name(self) -> str:
        return self._name(self.id)

    def _name(self, server_id: int) -> str:
        return f"{self.pod.rpartition('-')[0]}-{server_id - 1}.{self.domain}"

    def line(self, server_id: int, role: str) -> str:
        """Return the right-hand side of `server.<id>=` in the member list."""
        follower, election, client = self.ports
        return f"{self._name(server_id)}:{follower}:{election}:{role};0.0.0.0:{client}"


@dataclass(frozen=True, slots=True)
class Outside:
    """What the preparation asks: the API server for an object, the DNS for a name's addresses."""

    read: Callable[[str], Manifest | None]
    addresses: Callable[[str], set[str]]
    deadline_seconds: float = DEADLINE_SECONDS


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    return prepare(os.environ, Outside(read_object, _addresses))


def prepare(environment: Mapping[str, str], outside: Outside) -> int:
    """Prepare this pod's server; returns the exit code: 0 when it may start."""
    server, folders = _described(environment)
    until = time.monotonic() + outside.deadline_seconds
    keep_together(folders)
    preparation = _decide(server, folders, outside, until)
    if isinstance(preparation, Wait):
        log.error("giving up: %s", preparation.reason)
        return 1
    carry_out(preparation, server, folders)
    return 0 if _name_resolves(server, outside, until) else 1


def _described(env: Mapping[str, str]) -> tuple[Server, Folders]:
    server = Server(
        cluster=env["CLUSTER"],
        namespace=env["NAMESPACE"],
        pod=env["POD_NAME"],
        pod_uid=env["POD_UID"],
        address=env.get("POD_IP", ""),
        claim=env["CLAIM"],
        domain=env["DOMAIN"],
        ports=(env["FOLLOWER_PORT"], env["LEADER_ELECTION_PORT"], env["CLIENT_PORT"]),
    )
    return server, Folders.named_by(env)


def _decide(server: Server, folders: Folders, outside: Outside, until: float) -> Preparation:
    """Look until there is something to do; the last Wait says what was missing at the deadline."""
    seen = disk.read_disk(folders)
    if not needs_record(server.id, seen):
        return plan_preparation(server.id, seen, _record_at_hand(server, outside), ("", ""))
    return _poll(lambda: _look(server, seen, outside), until)


def _look(server: Server, seen: Disk, outside: Outside) -> Preparation:
    try:
        return plan_preparation(server.id, seen, _record(server, outside), _volume(server, outside))
    except FunctionError as error:
        return Wait(str(error))


def _record_at_hand(server: Server, outside: Outside) -> Record | None:
    """Return the record if the API server answers at once: a server with data waits for nobody."""
    try:
        return _record(server, outside)
    except FunctionError:
        return None


def _record(server: Server, outside: Outside) -> Record | None:
    group = "/apis/zookeeper.example.com/v1alpha1"
    path = f"{group}/namespaces/{server.namespace}/zookeeperclusters/{server.cluster}"
    return parse_record(outside.read(path))


def _volume(server: Server, outside: Outside) -> tuple[str, str]:
    """Return the (name, uid) under which this disk is on record: its claim's, or the pod's."""
    if not server.claim:
        return server.pod, server.pod_uid
    name = f"{server.claim}-{server.pod}"
    path = f"/api/v1/namespaces/{server.namespace}/persistentvolumeclaims/{name}"
    found = outside.read(path)
    return name, found["metadata"]["uid"] if found else ""


def _poll(look: Callable[[], Preparation], until: float) -> Preparation:
    said = ""
    while True:
        decided = look()
        if not isinstance(decided, Wait) or time.monotonic() > until:
            return decided
        if decided.reason != said:
            said = decided.reason
            log.info("waiting: %s", said)
        time.sleep(POLL_SECONDS)


def carry_out(preparation: StartAsIs | Found | Join, server: Server, folders: Folders) -> None:
    """Write what the decision needs; the marker last, so a crash before it leaves no voter."""
    disk.write_identity(folders, server.id)
    match preparation:
        case StartAsIs():
            disk.refresh_configuration(folders)
            log.info("server %s has data and its own list: it starts from its files", server.id)
        case Found(roles=roles):
            _write_list(roles, server, folders)
            disk.place_marker(folders)
            log.info("server %s may vote with its empty disk, among %s", server.id, sorted(roles))
        case Join(roles=roles, version=version):
            disk.remove_marker(folders)
            _write_list(roles, server, folders, version)
            log.info(
                "server %s joins the ensemble of %s without a marker", server.id, sorted(roles)
            )
        case _:
            assert_never(preparation)


def _write_list(roles: dict[int, str], server: Server, folders: Folders, version: int = 0) -> None:
    lines = {number: server.line(number, role) for number, role in roles.items()}
    disk.write_members(folders, lines, version)
    disk.refresh_configuration(folders)


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
