"""One state of the model: everything that there is, and the few ways in which it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.model import cluster
from tests.model.cluster import Acts, Change, Functions, Prepared, SetStatus, Status
from tests.model.ensemble import (
    NEW_POD,
    NO_POD,
    UP,
    Ensemble,
    Roles,
    Server,
    Servers,
    bits,
    canonical,
    changed,
    stop,
)


class Faults(NamedTuple):
    """How many more of each may happen."""

    crashes: int = 0
    losses: int = 0
    targets: int = 0
    writes: int = 0
    slow: int = 0
    rolls: int = 0
    blind: int = 0


class Flight(NamedTuple):
    """A delivery that takes its time: what it read, then what it does; others act meanwhile.

    What it would write is refused once somebody else wrote the same object.
    """

    function: str
    read: Status
    todo: Acts | Prepared | None = None
    is_status_fresh: bool = True
    is_set_fresh: bool = True
    is_list_fresh: bool = True
    pod: int = -1

    def versions(self) -> set[int]:
        """Return the versions of member lists that it may still write."""
        if isinstance(self.todo, Prepared):
            return {self.todo.version}
        written = (act.version for act in self.todo or () if isinstance(act, SetStatus))
        return {self.read.version, *written}

    def renumbered(self, numbers: dict[int, int]) -> Flight:
        if isinstance(self.todo, Prepared):
            return self._replace(todo=_renumbered(self.todo, numbers))
        todo = None if self.todo is None else tuple(_renumbered(a, numbers) for a in self.todo)
        return self._replace(read=self.read.renumbered(numbers), todo=todo)


def _renumbered(what: Any, numbers: dict[int, int]) -> Any:
    if isinstance(what, Prepared | SetStatus | Change):
        return what._replace(version=numbers.get(what.version, 0))
    return what


class State(NamedTuple):
    """Everything there is."""

    status: Status
    replicas: int
    servers: Servers
    ensemble: Ensemble
    faults: Faults
    flight: Flight | None = None


@dataclass(frozen=True)
class Scenario:
    """Where a search begins and what may happen."""

    begin: State
    targets: tuple[tuple[int, int], ...] = ()
    functions: Functions = cluster.PRODUCT


class Step(NamedTuple):
    """What happens next: in words, without a fault or not, and what it makes of the state."""

    label: str
    is_free: bool
    state: State


def established(voters: int, faults: Faults, *, size: int, observers: int = 0) -> State:
    """Return an ensemble that serves, with room for `size` servers."""
    roles = Roles((1 << voters) - 1, (1 << observers) - 1 << voters)
    member = Server(pod=UP, volume=1, epoch=1, last=1, version=1, roles=roles)
    there = voters + observers
    servers = (member,) * there + (Server(),) * (size - there)
    status = Status((voters, observers), "completed", voters, (), roles, 1)
    everybody = roles.voters | roles.observers
    return State(status, there, servers, Ensemble(1, everybody, 1, 1, roles), faults)


def new(voters: int, faults: Faults) -> State:
    """Return a cluster that was just applied."""
    servers = (Server(),) * voters
    nobody = Ensemble(0, 0, 0, 0, Roles((1 << voters) - 1, 0))
    return State(Status((voters, 0)), 0, servers, nobody, faults)


def with_zoo(state: State, zoo: tuple[Servers, Ensemble]) -> State:
    return state._replace(servers=zoo[0], ensemble=zoo[1])


def with_server(state: State, n: int, server: Server) -> State:
    return state._replace(servers=changed(state.servers, n, server))


def stopped(state: State, n: int, server: Server) -> State:
    """End a process; a preparation that is under way in its pod ends with it."""
    flight = state.flight
    if flight is not None and flight.pod == n:
        flight = None
    return with_zoo(state, stop((state.servers, state.ensemble), n, server))._replace(flight=flight)


def replaced(state: State, n: int, server: Server) -> State:
    if n >= state.replicas:
        return ended(state, n, server)
    return stopped(state, n, server._replace(pod=NEW_POD, is_outdated=False))


def ended(state: State, n: int, server: Server) -> State:
    return stopped(state, n, server._replace(pod=NO_POD, is_outdated=False))


def named(mask: int) -> str:
    return "{" + ", ".join(str(n + 1) for n in bits(mask)) + "}"


def overtaken(flight: Flight, before: State, after: State) -> Flight:
    """Note what of the delivery's reads is old now."""
    return flight._replace(
        is_status_fresh=flight.is_status_fresh and before.status == after.status,
        is_set_fresh=flight.is_set_fresh and before.replicas == after.replicas,
        is_list_fresh=flight.is_list_fresh
        and (before.ensemble.roles, before.ensemble.version)
        == (after.ensemble.roles, after.ensemble.version),
    )


def normal(state: State, before: State) -> State:
    """Return the state in its one form: order instead of numbers, stale reads marked as such."""
    flight, status = state.flight, state.status
    remembered = {status.version}
    if flight is not None:
        if flight.pod < 0 and before.flight is not None:
            flight = overtaken(flight, before, state)
        remembered |= flight.versions()
    zoo, numbers = canonical((state.servers, state.ensemble), frozenset(remembered))
    if flight is not None:
        flight = flight.renumbered(numbers)
    operation = status.operation
    if operation is not None and operation[4] not in (None, state.ensemble.version):
        # A version that is no longer the newest is any old one.
        status = status._replace(operation=(*operation[:4], 0, *operation[5:]))
    status = status.renumbered(numbers)
    servers, ensemble = zoo
    if status.record == "completed" and not any(status.volumes):
        status = status._replace(volumes=())
        servers = tuple(s._replace(volume=(s.volume > 0) - (s.volume < 0)) for s in servers)
    return State(status, state.replicas, servers, ensemble, state.faults, flight)
