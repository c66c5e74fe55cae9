"""What a server's preparation does before the server starts: the rule that empty disks never vote.

The decision is pure: what is on the disk, what the cluster's record says, which volume this is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class RecordState(StrEnum):
    """`status.bootstrap.state`: whether first creation is under way, done, or never ours."""

    OPEN = "open"
    COMPLETED = "completed"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class Disk:
    """What the volume holds: `is_empty` means no `snapshot.*` and no `log.*`.

    `members` are the `server.N=` lines of the server's own list, by id.
    """

    is_empty: bool
    members: dict[int, str]


@dataclass(frozen=True, slots=True)
class Record:
    """What the cluster's status says: its state, the members' roles by id, its volumes.

    `volumes` maps a claim's name (a pod's name for ephemeral storage) to its uid. So does
    `recovery`, of the volumes that a person let vote after a lost majority; None: the uid of the
    new pod is yet to be recorded. `version` is that of the committed list the roles were read from.
    """

    state: RecordState
    roles: dict[int, str]
    volumes: dict[str, str]
    recovery: Mapping[str, str | None] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class StartAsIs:
    """The server has data, its own list names it, and no record says otherwise."""


@dataclass(frozen=True, slots=True)
class Found:
    """The recorded list and the marker that lets this disk vote: first creation, or recovery."""

    roles: dict[int, str]


@dataclass(frozen=True, slots=True)
class Join:
    """Start with the recorded list and without a marker: the disk is filled by the leader.

    `version` is that of the list: the server gives way to newer ones and never to older ones.
    """

    roles: dict[int, str]
    version: int = 0


@dataclass(frozen=True, slots=True)
class Wait:
    """Something must be on record first; `reason` says what."""

    reason: str


Preparation = StartAsIs | Found | Join | Wait


def needs_record(server_id: int, disk: Disk) -> bool:
    """Whether the API server must be asked: never for a server with data that its list names."""
    return disk.is_empty or server_id not in disk.members


def plan_preparation(
    server_id: int, disk: Disk, record: Record | None, volume: tuple[str, str]
) -> Preparation:
    """Return what to do before the server starts; `volume` is the own claim's (name, uid).

    Invariant: a marker is placed only on an empty disk whose own volume is on an open record, or on
    that of a recovery (zookeeper.md 4.4; two wiped servers with markers erased an acknowledged
    write, tried).
    """
    if not needs_record(server_id, disk):
        # The record is looked at if it can be had: a volume that was kept while its server was
        # taken out may hold an old list, and several such servers could elect each other.
        is_out = record is not None and bool(record.roles) and server_id not in record.roles
        if record is None or not is_out:
            return StartAsIs()
        return _rejoin(server_id, record)
    if record is None:
        return Wait("the cluster has no record of its first creation yet (status.bootstrap)")
    if disk.is_empty and record.state is RecordState.OPEN:
        name, uid = volume
        if record.volumes.get(name) != uid:
            return Wait(f"volume {name} ({uid}) is not on the record of the first creation yet")
        return Found(record.roles)
    if disk.is_empty and volume[0] in record.recovery:
        return _recover(server_id, record, volume)
    return _join(server_id, record) if disk.is_empty else _rejoin(server_id, record)


def _recover(server_id: int, record: Record, volume: tuple[str, str]) -> Preparation:
    """Let a recorded volume of a voter vote; another one in its place is filled by the leader."""
    name, uid = volume
    recorded = record.recovery[name]
    if recorded is None:
        return Wait(f"the new pod {name} ({uid}) is not on the record of the recovery yet")
    is_let_vote = recorded == uid != "" and record.roles.get(server_id) == "participant"
    return Found(record.roles) if is_let_vote else _join(server_id, record)


def _join(server_id: int, record: Record) -> Join:
    return Join({server_id: "observer", **record.roles})


def _rejoin(server_id: int, record: Record) -> Join:
    """Let a server with data start from the recorded list instead of its own.

    A list without a version gives way to any: the server would follow an old list of servers that
    were never told of their removal, and give them a majority (tests/model found both ways). A
    member takes the list for what it is; anybody else one just older, so that the leader's list
    replaces it and the server follows without a vote.
    """
    if server_id in record.roles:
        return Join(record.roles, record.version)
    return Join({**record.roles, server_id: "observer"}, max(record.version - 1, 0))
