"""From the members an ensemble has to those it should have, one safe change at a time.

Invariant: after every change a majority of the voters serves, a server votes only once it has
caught up, and it leaves the member list before its pod goes. The leader leaves last: its removal is
one election, so there is at most one (zookeeper.md 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from functions.planning.member_list import OBSERVER, PARTICIPANT
from functions.planning.membership import quorum

Roles = Mapping[int, str]


@dataclass(frozen=True, slots=True)
class SeenEnsemble:
    """The committed member list, who serves, who leads, and how many pods are asked for.

    `roles` is empty when no server could be asked for the list; `recorded` is how many pods the
    members in status need.
    """

    roles: Roles
    version: int
    serving: frozenset[int]
    leader: int
    replicas: int
    recorded: int


@dataclass(frozen=True, slots=True)
class AddMember:
    """Take a server that has caught up into the list, or give a member another role."""

    id: int
    role: str
    from_config: int


@dataclass(frozen=True, slots=True)
class RemoveMember:
    """Take a server out of the list.

    `replicas` follows at once when it is the leader, the last to leave: clients that are still
    connected to it wait for it until it stops (measured 1.7 s against 0.2 s).
    """

    id: int
    from_config: int
    replicas: int | None


@dataclass(frozen=True, slots=True)
class RunServers:
    """Let this many pods run."""

    replicas: int


@dataclass(frozen=True, slots=True)
class RemoveVolumes:
    """Delete these volume claims, (name, uid) each: their servers have left for good."""

    claims: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ReplacePod:
    """Delete the pod of a server that cannot start, so that it is prepared anew."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing can be done before something else happens; `reason` is one word."""

    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class CorrectList:
    """Let the list say where these servers take clients; nobody joins, leaves or elects."""

    ids: tuple[int, ...]
    from_config: int


ListChange = AddMember | RemoveMember | CorrectList
Change = ListChange | RunServers | RemoveVolumes | ReplacePod
Move = Change | Hold


def wanted_roles(voters: int, observers: int) -> dict[int, str]:
    """Return the wanted members: the voters have the lowest ids, the observers follow."""
    roles = dict.fromkeys(range(1, voters + 1), PARTICIPANT)
    return roles | dict.fromkeys(range(voters + 1, voters + observers + 1), OBSERVER)


def next_move(wanted: Roles, seen: SeenEnsemble) -> Move | None:
    """Return the next change towards `wanted`, or nothing when the ensemble is as wanted."""
    if not seen.roles or not seen.leader:
        if seen.replicas < seen.recorded:
            return RunServers(seen.recorded)
        return Hold("NoQuorum", "No majority of the voters serves: no member can be changed.")
    if leaving := sorted(set(seen.roles) - set(wanted)):
        return _remove(leaving, wanted, seen)
    if seen.replicas != len(wanted):
        return RunServers(len(wanted))
    if changing := sorted(number for number in wanted if seen.roles.get(number) != wanted[number]):
        return _add(changing, wanted, seen)
    return None


def _remove(leaving: list[int], wanted: Roles, seen: SeenEnsemble) -> Move:
    """Remove the highest id first and the leader last."""
    others = [number for number in leaving if number != seen.leader]
    number = (others or leaving)[-1]
    left = {n: role for n, role in seen.roles.items() if n != number}
    if not _has_majority(left, seen.serving):
        return _too_few(left, seen.serving, f"server {number} is not taken out")
    is_leader = number == seen.leader
    return RemoveMember(number, seen.version, len(wanted) if is_leader else None)


def _add(changing: list[int], wanted: Roles, seen: SeenEnsemble) -> Move:
    """Take in one server that serves already; giving up the leader's vote comes last."""
    ready = [number for number in changing if number in seen.serving]
    if not ready:
        waiting = ", ".join(str(number) for number in changing)
        return Hold("ServersJoining", f"Server {waiting} has not caught up with the leader yet.")
    number = min(ready, key=lambda n: (n == seen.leader, n))
    changed = {**seen.roles, number: wanted[number]}
    if not _has_majority(changed, seen.serving):
        # One voter more never needs a vote it does not bring: only giving up a vote gets here.
        return _too_few(changed, seen.serving, f"server {number} keeps its vote")
    return AddMember(number, wanted[number], seen.version)


def _voters(roles: Roles) -> frozenset[int]:
    return frozenset(number for number, role in roles.items() if role == PARTICIPANT)


def _has_majority(roles: Roles, serving: frozenset[int]) -> bool:
    voters = _voters(roles)
    return bool(voters) and len(voters & serving) >= quorum(len(voters))


def _too_few(roles: Roles, serving: frozenset[int], what: str) -> Hold:
    voters = _voters(roles)
    missing = ", ".join(str(number) for number in sorted(voters - serving))
    return Hold(
        "TooFewServe",
        f"Of the {len(voters)} voters there would be then, {len(voters & serving)} serve "
        f"(missing: {missing or 'none'}): {what} until {quorum(len(voters))} do.",
    )
