"""A small model of a restore: three servers, their volumes, the step on record, and faults.

The decision in it is not modelled: `plan_restoring` is called itself. Servers are alike, so states
that differ by their order only are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from functions.planning.restoring import (
    Apply,
    Hold,
    Keep,
    PutAside,
    Restoring,
    Revert,
    Swap,
    Verdict,
    Volume,
    plan_restoring,
)

UID = "restore"
MAJORITY = 2
Plan = Callable[[Volume, Verdict | None], Restoring]


class Data(StrEnum):
    """What lies where a server would start from; nothing at all in the middle of a swap."""

    OWN = "own"
    NEW = "new"
    EMPTY = "empty"
    NOTHING = "-"


class Pod(StrEnum):
    """A pod asks, then does what it was told, then runs its server until it is gone."""

    GONE = "gone"
    ASKS = "asks"
    APPLIES = "applies"
    REVERTS = "reverts"
    STARTS = "starts"
    RUNS = "runs"


@dataclass(frozen=True, slots=True, order=True)
class Server:
    """One server's volume and its pod."""

    pod: Pod = Pod.RUNS
    data: Data = Data.OWN
    old: Data = Data.NOTHING
    is_staged: bool = True
    is_armed: bool = False
    is_applied: bool = False
    is_of_restore: bool = False

    @property
    def swap(self) -> Swap:
        if self.old is not Data.NOTHING and not self.is_applied:
            return Swap.HALF
        return Swap.DONE if self.is_of_restore else Swap.NONE

    @property
    def volume(self) -> Volume:
        return Volume(
            is_empty=self.data in (Data.EMPTY, Data.NOTHING),
            armed=UID if self.is_armed else "",
            swap=self.swap if self.is_armed else Swap.NONE,
            history=UID if self.is_of_restore else "",
        )


@dataclass(frozen=True, slots=True)
class Faults:
    """How many of each kind may still happen."""

    crashes: int = 1
    lost_volumes: int = 1
    silences: int = 1  # A pod gets no answer of the API server.
    late_writes: int = 1  # The number of pods is written by somebody who looked long ago.
    stale_pods: int = 1  # A pod is made although none is wanted any more.


@dataclass(frozen=True, slots=True)
class State:
    """The world between two happenings; `saw_none` is a look of the function that may be old."""

    servers: tuple[Server, ...] = (Server(), Server(), Server())
    step: str = "Arm"
    replicas: int = 3
    saw_none: bool = False
    restored: bool = False
    opened: bool = False
    faults: Faults = Faults()

    @property
    def verdict(self) -> Verdict:
        uid = UID if self.step else ""
        return Verdict(uid, self.step, UID if self.restored else "")

    def running(self, data: Data) -> int:
        return sum(it.pod is Pod.RUNS and it.data is data for it in self.servers)

    @property
    def has_pods(self) -> bool:
        return any(it.pod is not Pod.GONE for it in self.servers)


def happenings(state: State, plan: Plan = plan_restoring) -> Iterator[State]:
    """Yield every state that may come next."""
    yield from undisturbed(state, plan)
    yield from _disturbed(state, plan)


def undisturbed(state: State, plan: Plan = plan_restoring) -> Iterator[State]:
    yield from _function(state)
    if state.replicas != (wanted := _wanted(state)):
        yield replace(state, replicas=wanted)
    for index, server in enumerate(state.servers):
        for after in _server(state, server, plan):
            yield _with(state, index, after)


def _wanted(state: State) -> int:
    return 0 if state.step in ("Stop", "StopBack") else 3


def _function(state: State) -> Iterator[State]:
    """What the restore's function does, each write by itself."""
    match state.step:
        case "Arm":
            yield from _arm(state)
        case "Stop" | "StopBack":
            yield from _go_on_when_none_is_left(state)
        case "Open":
            yield from _open(state)
        case "Start" if state.running(Data.NEW) >= MAJORITY:
            yield replace(state, step="Open")
        case "StartBack" if state.running(Data.OWN) >= MAJORITY:
            yield replace(state, step="")
        case "":
            yield from _clean_up(state)
        case _:
            return


def _arm(state: State) -> Iterator[State]:
    for index, server in enumerate(state.servers):
        if not server.is_armed:
            # Another volume in a server's place is staged, too.
            yield _with(state, index, replace(server, is_staged=True, is_armed=True))
    if all(it.is_armed for it in state.servers):
        yield replace(state, step="Stop")


def _go_on_when_none_is_left(state: State) -> Iterator[State]:
    if state.saw_none:
        onward = "Start" if state.step == "Stop" else "StartBack"
        yield replace(state, step=onward, saw_none=False)
    elif state.replicas == 0 and not state.has_pods:
        yield replace(state, saw_none=True)


def _open(state: State) -> Iterator[State]:
    if not state.restored:
        yield replace(state, restored=True)
    elif state.opened:
        yield replace(state, step="")
    elif state.running(Data.NEW) >= MAJORITY:
        yield replace(state, opened=True)


def _clean_up(state: State) -> Iterator[State]:
    whole = Swap.DONE if state.restored else Swap.NONE
    for index, server in enumerate(state.servers):
        if server.is_armed and server.swap is whole:
            yield _with(state, index, _cleaned(server))


def _cleaned(server: Server) -> Server:
    return replace(server, is_armed=False, is_staged=False, is_applied=False, old=Data.NOTHING)


def _server(state: State, server: Server, plan: Plan) -> Iterator[Server]:
    if server.pod is Pod.GONE:
        if state.replicas:
            yield replace(server, pod=Pod.ASKS)
        return
    yield from _goes_on(state, server, plan)
    if not state.replicas:
        yield replace(server, pod=Pod.GONE)


def _goes_on(state: State, server: Server, plan: Plan) -> Iterator[Server]:
    match server.pod:
        case Pod.ASKS:
            yield from _told(server, plan(server.volume, state.verdict))
        case Pod.APPLIES:
            yield _applied(server)
        case Pod.REVERTS:
            yield _reverted(server)
        case Pod.STARTS:
            yield replace(server, pod=Pod.RUNS)
        case Pod.RUNS | Pod.GONE:
            yield from _filled(state, server)


def _told(server: Server, restoring: Restoring) -> Iterator[Server]:
    match restoring:
        case Keep():
            yield replace(server, pod=Pod.STARTS)
        case Apply():
            yield replace(server, pod=Pod.APPLIES, is_armed=True)
        case Revert():
            yield replace(server, pod=Pod.REVERTS)
        case PutAside():
            yield replace(server, data=Data.EMPTY)
        case Hold():
            return


def _applied(server: Server) -> Server:
    """Return what comes after one change of the disk."""
    if server.old is Data.NOTHING:
        return replace(server, old=server.data, data=Data.NOTHING)
    if server.data is Data.NOTHING:
        return replace(
            server,
            data=Data.NEW if server.is_staged else Data.EMPTY,
            is_staged=False,
            is_of_restore=True,
        )
    return replace(server, is_applied=True, pod=Pod.ASKS)


def _reverted(server: Server) -> Server:
    if server.is_applied:
        return replace(server, is_applied=False)
    if server.is_of_restore or server.data is not Data.NOTHING:
        return replace(server, is_of_restore=False, data=Data.NOTHING)
    return replace(server, data=server.old, old=Data.NOTHING, pod=Pod.ASKS)


def _filled(state: State, server: Server) -> Iterator[Server]:
    """An empty server has the data of whichever majority runs."""
    if server.data is Data.EMPTY:
        for data in (Data.OWN, Data.NEW):
            if state.running(data) >= MAJORITY:
                # What it is filled with is of the ensemble's history (`carry_out`).
                is_new = data is Data.NEW
                yield replace(server, data=data, is_of_restore=is_new)


def _disturbed(state: State, plan: Plan) -> Iterator[State]:
    left = state.faults
    for index, server in enumerate(state.servers):
        for after, fewer in _troubled(state, server, plan):
            if getattr(left, fewer):
                yield _with(state, index, after, **{fewer: getattr(left, fewer) - 1})
    if left.late_writes:
        late = replace(left, late_writes=left.late_writes - 1)
        yield replace(state, replicas=3 - state.replicas, faults=late)
    if state.step == "Start":
        yield replace(state, step="StopBack")


def _troubled(state: State, server: Server, plan: Plan) -> Iterator[tuple[Server, str]]:
    """Yield what may become of one server, and which kind of fault that is."""
    yield Server(pod=Pod.GONE, data=Data.EMPTY, is_staged=False), "lost_volumes"
    if server.pod is not Pod.GONE:
        yield replace(server, pod=Pod.GONE), "crashes"
    elif not state.replicas:
        yield replace(server, pod=Pod.ASKS), "stale_pods"
    # An empty disk waits for an answer whatever there is to restore.
    if server.pod is Pod.ASKS and not server.volume.is_empty:
        for after in _told(server, plan(server.volume, None)):
            yield after, "silences"


def _with(state: State, index: int, server: Server, **fewer: int) -> State:
    servers = (*state.servers[:index], server, *state.servers[index + 1 :])
    faults = replace(state.faults, **fewer) if fewer else state.faults
    return replace(state, servers=tuple(sorted(servers)), faults=faults)


def wrongs(state: State) -> Iterator[str]:
    """Yield what must never be."""
    own, new = state.running(Data.OWN), state.running(Data.NEW)
    if own and new:
        yield "servers of two histories run at one time"
    if state.opened and own:
        yield "a server serves its old data after clients were let in to the restored"
    if new and not state.step and not state.restored:
        yield "a server serves the backup although the restore was taken back"
    held = [it for it in state.servers if Data.OWN in (it.data, it.old)]
    if not state.restored and len(held) + (1 - state.faults.lost_volumes) < 3:
        yield "a server's own data is gone before the restore stands"
