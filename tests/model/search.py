"""The search: every state that functions, servers, Kubernetes and faults can reach together.

A state is followed by everything that may happen next, in whatever order. Following the first free
step from any state must lead to the end, so nothing is ever stuck.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.model.ensemble import Broken, Roles, elections, is_majority, running, with_data
from tests.model.happening import faults, free
from tests.model.state import Scenario, State, named, normal


@dataclass
class Searched:
    """How many states a search saw, and how many of them as wanted."""

    states: int
    goals: int


class Counterexample(AssertionError):
    """A way to a state that must not be; the message tells it step by step."""


def check(state: State, begin: State) -> None:
    """Raise Broken when two majorities may serve at once, or a member's pod was taken away."""
    ensemble = state.ensemble
    others = running(state.servers) & ~ensemble.connected
    if ensemble.leader and others:
        for leader, group, _ in elections((state.servers, ensemble), others):
            raise Broken(f"server {leader + 1} can be elected by {named(group)} beside the leader")
    members = ensemble.roles.voters | ensemble.roles.observers
    # A delivery that was overtaken may do that once; it only has to be mended (decision 5).
    is_overtaken = state.faults.slow < begin.faults.slow
    if state.status.record == "completed" and members >> state.replicas and not is_overtaken:
        raise Broken(f"{state.replicas} pods are asked for while {named(members)} are members")


def must_go_on(state: State, begin: State) -> bool:
    """Whether the ensemble has to heal by itself: never a majority of its disks was lost.

    A new ensemble whose last servers have yet to start has its data on fewer disks than voters.
    """
    voters = state.ensemble.roles.voters
    lost = begin.faults.losses - state.faults.losses
    had_data = begin.ensemble.acknowledged > 0
    has_data = is_majority(with_data(state.servers), voters)
    return has_data or not lost or (had_data and 2 * lost < voters.bit_count())


def is_goal(state: State) -> bool:
    """Whether everything is as wanted and every member serves."""
    voters, observers = state.status.wanted
    wanted = Roles((1 << voters) - 1, (1 << observers) - 1 << voters)
    ensemble = state.ensemble
    return (
        state.flight is None
        and bool(ensemble.leader)
        and ensemble.roles == wanted
        and not (wanted.voters | wanted.observers) & ~ensemble.connected
        and state.replicas == voters + observers
        and state.status.operation is None
        and not any(server.is_outdated for server in state.servers)
    )


def search(scenario: Scenario, most: int = 10_000_000) -> Searched:
    """Visit every reachable state; raises Counterexample with the way to a broken one."""
    begin = normal(scenario.begin, scenario.begin)
    numbers: dict[State, int] = {begin: 0}
    states: list[State] = [begin]
    parents, undisturbed = array("l", [-1]), array("l", [])
    at = 0
    while at < len(states):
        state = states[at]
        next_one = -1
        try:
            check(state, scenario.begin)
            for is_free, happened in _next(state, scenario):
                found = normal(happened, state)
                number = numbers.setdefault(found, len(states))
                if number == len(states):
                    states.append(found)
                    parents.append(at)
                if is_free and next_one < 0 and number != at:
                    next_one = number
        except Broken as broken:
            raise Counterexample(_told(scenario, states, parents, at, str(broken))) from broken
        undisturbed.append(-1 if is_goal(state) else next_one)
        at += 1
        if at > most:
            raise AssertionError(f"more than {most} states")
    return _all_go_on(scenario, states, parents, undisturbed)


def _next(state: State, scenario: Scenario) -> Iterator[tuple[bool, State]]:
    for _, happened in free(state, scenario):
        yield True, happened
    for _, happened in faults(state, scenario):
        yield False, happened


def _all_go_on(
    scenario: Scenario, states: list[State], parents: array[int], undisturbed: array[int]
) -> Searched:
    """Check that the undisturbed run from every state that must heal ends as wanted."""
    verdicts = bytearray(len(states))
    goals = 0
    for number, state in enumerate(states):
        if undisturbed[number] < 0 and is_goal(state):
            verdicts[number] = 2
            goals += 1
    for number, state in enumerate(states):
        way, at = [], number
        while not verdicts[at]:
            verdicts[at] = 1
            way.append(at)
            if undisturbed[at] < 0:
                break
            at = undisturbed[at]
        reached = verdicts[at] == 2
        for passed in way:
            verdicts[passed] = 2 if reached else 3
        if verdicts[number] != 2 and must_go_on(state, scenario.begin):
            told = _told(scenario, states, parents, number, "nothing goes on")
            raise Counterexample(told + _afterwards(scenario, states, undisturbed, number))
    return Searched(len(states), goals)


def _afterwards(scenario: Scenario, states: list[State], undisturbed: array[int], at: int) -> str:
    """Tell how an undisturbed run goes on from there, until it ends or begins anew."""
    lines, seen = ["\nThen, undisturbed:"], set()
    while undisturbed[at] >= 0 and at not in seen:
        seen.add(at)
        lines.append(f"  {_label(scenario, states[at], states[undisturbed[at]])}")
        at = undisturbed[at]
    return "\n".join([*lines, "  and so on" if at in seen else "  and no further"])


def _told(
    scenario: Scenario, states: list[State], parents: array[int], at: int, broken: str
) -> str:
    way = [at]
    while parents[way[-1]] >= 0:
        way.append(parents[way[-1]])
    way.reverse()
    lines = [f"{broken}, after {len(way) - 1} steps:"]
    for before, after in pairwise(way):
        lines.append(f"  {_label(scenario, states[before], states[after])}")
    return "\n".join([*lines, f"  {states[at]}"])


def _label(scenario: Scenario, before: State, after: State) -> str:
    for happens in (free, faults):
        for label, happened in happens(before, scenario):
            if normal(happened, before) == after:
                return label
    raise AssertionError("a state without a way to it")
