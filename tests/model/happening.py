"""What may happen next: by itself, by a step of a function, or by a fault.

Faults cost: a scenario says how many of each there may be. What needs no fault is free, and listed
in the order in which it would happen if nothing disturbed it any more.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.cluster import (
    AS_IS,
    FOUND,
    WAIT,
    Acts,
    Prepared,
    Status,
    view_of,
)
from tests.model.ensemble import (
    DOWN,
    NEW_POD,
    NO_POD,
    UP,
    Server,
    bits,
    elect,
    elections,
    follow,
    hear,
    running,
    start,
    write,
)
from tests.model.performing import perform
from tests.model.state import (
    Flight,
    Scenario,
    State,
    ended,
    named,
    overtaken,
    replaced,
    stopped,
    with_server,
    with_zoo,
)


def free(state: State, scenario: Scenario) -> Iterator[tuple[str, State]]:
    """Yield what needs no fault, in the order of an undisturbed run."""
    if state.flight is not None:
        yield from _fly(state, scenario)
        yield "the delivery under way is lost", state._replace(flight=None)
    yield from _pods(state, scenario)
    yield from _servers(state)
    yield from _function(state, scenario, "scale")
    yield from _function(state, scenario, "roll")


def _pods(state: State, scenario: Scenario) -> Iterator[tuple[str, State]]:
    for n, server in enumerate(state.servers):
        if server.pod == NEW_POD:
            decided = scenario.functions.prepare(n, server, state.status)
            if (prepared := _prepare(state, n, decided)) is not None:
                yield f"server {n + 1} is prepared: {decided.what}", prepared
        elif server.pod == DOWN and (started := start(server, n)) is not None:
            yield f"server {n + 1} starts", with_server(state, n, started)
        if server.pod != NO_POD and n >= state.replicas:
            yield f"pod {n + 1} ends", ended(state, n, server)


def _prepare(state: State, n: int, decided: Prepared) -> State | None:
    if decided.what == WAIT:
        return None
    server = state.servers[n]._replace(pod=DOWN)
    if decided.what != AS_IS:
        is_marked = decided.what == FOUND
        _, roles, version = decided
        server = server._replace(is_marked=is_marked, version=version, roles=roles)
    return with_server(state, n, server)


def _servers(state: State) -> Iterator[tuple[str, State]]:
    zoo = state.servers, state.ensemble
    for n in bits(running(state.servers) & ~state.ensemble.connected):
        if (informed := hear(zoo, n)) is not None:
            yield f"server {n + 1} hears of a newer list", with_zoo(state, informed)
    if not state.ensemble.leader:
        for leader, group, roles in elections(zoo, running(state.servers)):
            told = f"server {leader + 1} is elected by {named(group)} of {named(roles.voters)}"
            yield told, with_zoo(state, elect(zoo, leader, group, roles))
        return
    for n in bits(running(state.servers) & ~state.ensemble.connected):
        if (caught_up := follow(zoo, n)) is not None:
            yield f"server {n + 1} catches up", with_zoo(state, caught_up)


def _function(state: State, scenario: Scenario, name: str) -> Iterator[tuple[str, State]]:
    """Run one delivery to its end, or until its process dies between two steps."""
    view = view_of(state.status, state.replicas, (state.servers, state.ensemble))
    acts: Acts = getattr(scenario.functions, name)(view)
    yield from _run(state, name, acts)


def _run(state: State, name: str, acts: Acts) -> Iterator[tuple[str, State]]:
    if not acts:
        return
    for after in perform(state, acts[0], None):
        # A change whose leader died on the way looks like a lost connection: the plan ends.
        if after.faults == state.faults:
            yield from _run(after, name, acts[1:])
        yield f"{name}: {acts[0]}", after


# A delivery that others overtake.


def _fly(state: State, scenario: Scenario) -> Iterator[tuple[str, State]]:
    flight = state.flight
    assert flight is not None
    landed = state._replace(flight=None)
    if flight.pod >= 0:
        assert isinstance(flight.todo, Prepared)
        if (prepared := _prepare(landed, flight.pod, flight.todo)) is not None:
            yield f"late: server {flight.pod + 1} is prepared: {flight.todo.what}", prepared
        return
    if flight.todo is None:
        view = view_of(flight.read, state.replicas, (state.servers, state.ensemble))
        acts: Acts = getattr(scenario.functions, flight.function)(view)
        looked = flight._replace(
            todo=acts, is_set_fresh=True, is_list_fresh=True, read=Status((0, 0))
        )
        yield (
            f"late: {flight.function} sees the rest",
            state._replace(flight=looked if acts else None),
        )
        return
    assert not isinstance(flight.todo, Prepared)
    act, rest = flight.todo[0], flight.todo[1:]
    for after in perform(landed, act, flight):
        left = overtaken(flight, landed, after)._replace(todo=rest)
        goes_on = rest and after.faults == state.faults
        yield f"late: {flight.function}: {act}", after._replace(flight=left if goes_on else None)


# What goes wrong, and what users do.


def faults(state: State, scenario: Scenario) -> Iterator[tuple[str, State]]:
    """Yield what costs one of the scenario's faults."""
    left = state.faults
    if left.crashes:
        yield from _crashes(state._replace(faults=left._replace(crashes=left.crashes - 1)))
    if left.losses:
        yield from _losses(state._replace(faults=left._replace(losses=left.losses - 1)))
    if left.blind:
        fewer = state._replace(faults=left._replace(blind=left.blind - 1))
        yield from _blind(fewer, scenario)
    if left.slow and state.flight is None:
        yield from _slow(state._replace(faults=left._replace(slow=left.slow - 1)), scenario)
    if left.targets:
        yield from _wishes(state._replace(faults=left._replace(targets=left.targets - 1)), scenario)
    if left.rolls:
        yield from _rolls(state._replace(faults=left._replace(rolls=left.rolls - 1)))
    if left.writes and state.ensemble.leader:
        fewer = state._replace(faults=left._replace(writes=left.writes - 1))
        told = f"a write is acknowledged by {named(state.ensemble.connected)}"
        yield told, with_zoo(fewer, write((state.servers, state.ensemble)))


def _crashes(state: State) -> Iterator[tuple[str, State]]:
    for n, server in enumerate(state.servers):
        if server.pod == UP:
            yield f"server {n + 1} crashes", stopped(state, n, server._replace(pod=DOWN))
        if server.pod in (DOWN, UP):
            yield f"pod {n + 1} is deleted", replaced(state, n, server)


def _losses(state: State) -> Iterator[tuple[str, State]]:
    for n, server in enumerate(state.servers):
        if server.volume > 0:
            pod = NO_POD if server.pod == NO_POD else NEW_POD
            volume = -server.volume if pod == NO_POD else server.volume + 1
            yield f"disk {n + 1} is lost", stopped(state, n, Server(pod, volume))


def _blind(state: State, scenario: Scenario) -> Iterator[tuple[str, State]]:
    for n, server in enumerate(state.servers):
        if server.pod == NEW_POD:
            decided = scenario.functions.prepare(n, server, None)
            if (prepared := _prepare(state, n, decided)) is not None:
                yield f"server {n + 1} is prepared without the API server: {decided.what}", prepared


def _slow(state: State, scenario: Scenario) -> Iterator[tuple[str, State]]:
    for name in ("scale", "roll"):
        yield f"{name} reads the object", state._replace(flight=Flight(name, state.status))
    for n, server in enumerate(state.servers):
        if server.pod == NEW_POD:
            decided = scenario.functions.prepare(n, server, state.status)
            if decided.what != WAIT:
                flight = Flight("prepare", Status((0, 0)), decided, pod=n)
                yield f"server {n + 1} looks what to do", state._replace(flight=flight)


def _wishes(state: State, scenario: Scenario) -> Iterator[tuple[str, State]]:
    for target in scenario.targets:
        if target != state.status.wanted:
            wished = state._replace(status=state.status._replace(wanted=target))
            yield f"{target} servers are wanted", wished


def _rolls(state: State) -> Iterator[tuple[str, State]]:
    outdated = tuple(s._replace(is_outdated=s.pod != NO_POD) for s in state.servers)
    yield "every pod is to be replaced", state._replace(servers=outdated)
