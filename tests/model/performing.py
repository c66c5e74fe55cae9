"""What the steps of a plan do to a state, or that they are refused."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.cluster import (
    Act,
    Change,
    MakeVolume,
    RemovePod,
    Run,
    SetOperation,
    SetStatus,
    Status,
)
from tests.model.ensemble import (
    NEW_POD,
    NO_POD,
    Roles,
    Server,
    accepts,
    commit,
    half_told,
    interrupted,
)
from tests.model.state import Flight, State, replaced, with_server, with_zoo


def perform(  # noqa: C901 - one case per step
    state: State, act: Act, flight: Flight | None
) -> Iterator[State]:
    """Yield what one step may make of the state; nothing when it is refused."""
    match act:
        case SetStatus() | SetOperation():
            if flight is None or flight.is_status_fresh:
                yield state._replace(status=_written(state.status, act))
        case MakeVolume(n=n):
            server = state.servers[n]
            volume = max(server.volume, 1 - server.volume)
            yield with_server(state, n, server._replace(volume=volume))
        case Run(replicas=replicas):
            if flight is None or flight.is_set_fresh:
                yield _scaled(state, replicas)
        case Change():
            if flight is None or flight.is_list_fresh:
                yield from _reconfigure(state, act)
        case RemovePod(n=n, is_outdated=is_outdated):
            server = state.servers[n]
            if server.pod != NO_POD and server.is_outdated == is_outdated:
                yield replaced(state, n, server)


def _written(status: Status, act: SetStatus | SetOperation) -> Status:
    if isinstance(act, SetOperation):
        return status._replace(operation=act.operation)
    return status._replace(
        record=act.record,
        size=act.size,
        volumes=act.volumes,
        members=act.members,
        version=act.version,
    )


def _scaled(state: State, replicas: int) -> State:
    servers = tuple(
        _created(server) if n < replicas and server.pod == NO_POD else server
        for n, server in enumerate(state.servers)
    )
    return state._replace(replicas=replicas, servers=servers)


def _created(server: Server) -> Server:
    volume = max(server.volume, 1 - server.volume)
    return server._replace(pod=NEW_POD, volume=volume, is_outdated=False)


def _reconfigure(state: State, act: Change) -> Iterator[State]:
    zoo, bit = (state.servers, state.ensemble), 1 << act.n
    roles = Roles(state.ensemble.roles.voters & ~bit, state.ensemble.roles.observers & ~bit)
    if act.role == "participant":
        roles = roles._replace(voters=roles.voters | bit)
    elif act.role == "observer":
        roles = roles._replace(observers=roles.observers | bit)
    if not accepts(zoo, roles):
        return
    yield with_zoo(state, commit(zoo, roles))
    if state.faults.crashes:
        left = state._replace(faults=state.faults._replace(crashes=state.faults.crashes - 1))
        for torn in interrupted(zoo, roles):
            yield with_zoo(left, torn)
        for torn in half_told(zoo, roles):
            yield with_zoo(left, torn)
