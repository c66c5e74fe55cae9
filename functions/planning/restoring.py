"""What a server's preparation does about a restore: which of two histories it starts from.

The decision is pure: what the server's own volume says, and what the cluster's status says. It is
made before everything else a preparation decides (`functions.planning.preparation`).

Invariant: servers that run at one time all start from the same history. It holds because the
direction changes only while no pod is left: the function lowers the servers to 0 and sees that all
are gone between `Arm` and `Start`, and again between `Start` and `StartBack`. A pod that comes
meanwhile, or that was made long ago, reads the step that is on record at that moment; while the
step is `Stop` or `StopBack` it starts nothing, so nobody who decided before can meet somebody who
decides after. When the operation is gone, `restored` in the cluster's status is the verdict, for a
server that slept through it all as well: it applies then, or goes back then.

So a volume that is armed never starts a server without the API server's answer. Any other does,
as ever: a server with data needs nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never


class RestoreStep(StrEnum):
    """`status.operation.step` of a restore."""

    ARM = "Arm"
    STOP = "Stop"
    START = "Start"
    OPEN = "Open"
    STOP_BACK = "StopBack"
    START_BACK = "StartBack"


class Swap(StrEnum):
    """How far a volume's own data has given way to the backup's: `half` starts no server."""

    NONE = "none"
    HALF = "half"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Volume:
    """What a server's volume says.

    `armed` is the uid of the restore it was armed for, `history` that of the restore its data comes
    from; each may be empty. `is_empty` means no snapshot and no log.
    """

    is_empty: bool
    armed: str = ""
    swap: Swap = Swap.NONE
    history: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the cluster's status says of restores.

    `uid` is that of the one whose operation is on record, `step` its step (any other text than a
    `RestoreStep` is one of a newer program). `restored` is the one that the ensemble's data comes
    from: once it is there, there is no way back from that restore.
    """

    uid: str = ""
    step: str = ""
    restored: str = ""

    @property
    def is_closed(self) -> bool:
        """Whether servers start behind the closed port: nobody has looked at the data yet."""
        return self.step in (RestoreStep.START, RestoreStep.OPEN)


@dataclass(frozen=True, slots=True)
class Keep:
    """What lies in the server's folders is what it starts from."""


@dataclass(frozen=True, slots=True)
class Apply:
    """Put the backup in place; where none was staged, start empty and be filled by the leader."""

    uid: str


@dataclass(frozen=True, slots=True)
class Revert:
    """Put the own data back in place."""

    uid: str


@dataclass(frozen=True, slots=True)
class PutAside:
    """The data is of another history than the ensemble's: start empty."""

    history: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Start nothing until something else is on record; `reason` says what."""

    reason: str


Restoring = Keep | Apply | Revert | PutAside | Hold


class Direction(StrEnum):
    """Where the servers are told to go."""

    OWN = "own"
    NOWHERE = "nowhere"
    FORWARD = "forward"
    BACK = "back"


def plan_restoring(volume: Volume, verdict: Verdict | None) -> Restoring:
    """Return what to do with the volume; `verdict` is None while the API server does not answer.

    After anything but Keep and Hold it is to be asked again, about the volume as it is then.
    """
    if verdict is None:
        if volume.armed:
            return Hold(
                "the API server must say whether the restore on this volume takes place or not"
            )
        return Keep()
    found = _armed(volume, verdict) if volume.armed else Keep()
    if verdict.uid == volume.armed != "" or not isinstance(found, Keep):
        return found
    # What it was armed for is over; another restore may be under way.
    return _unarmed(volume, verdict)


def _armed(volume: Volume, verdict: Verdict) -> Restoring:
    uid = volume.armed
    match direction(uid, verdict):
        case Direction.FORWARD:
            return Keep() if volume.swap is Swap.DONE else Apply(uid)
        case Direction.BACK:
            return Keep() if volume.swap is Swap.NONE else Revert(uid)
        case Direction.OWN if volume.swap is Swap.NONE:
            return Keep()
        case Direction.OWN | Direction.NOWHERE:
            return Hold(f"the restore {uid} is at step {verdict.step}")
        case never:
            assert_never(never)


def direction(uid: str, verdict: Verdict) -> Direction:
    """Return where a volume that is armed for the restore `uid` goes.

    Without an operation of that restore it is over, and what it came to is on record.
    """
    if verdict.restored == uid:
        return Direction.FORWARD
    if verdict.uid != uid:
        return Direction.BACK
    match verdict.step:
        case RestoreStep.ARM:
            return Direction.OWN
        case RestoreStep.START | RestoreStep.OPEN:
            return Direction.FORWARD
        case RestoreStep.START_BACK:
            return Direction.BACK
        case _:
            return Direction.NOWHERE


def _unarmed(volume: Volume, verdict: Verdict) -> Restoring:
    """Keep strangers to a restore from mixing in: volumes that were away or empty all the while.

    Two histories may have transactions of the same number. A server of the one that joined the
    other would be sent what comes behind that number, and keep what is before it.
    """
    if verdict.uid and verdict.uid != verdict.restored:
        match direction(verdict.uid, verdict):
            case Direction.NOWHERE:
                return Hold(f"a restore is at step {verdict.step}")
            case Direction.FORWARD:
                # Also an empty one: when the others go back it must not keep what it got here.
                return Keep() if volume.history == verdict.uid else Apply(verdict.uid)
            case Direction.OWN | Direction.BACK:
                pass
            case never:
                assert_never(never)
    if volume.is_empty or not verdict.restored or volume.history == verdict.restored:
        return Keep()
    return PutAside(volume.history)
