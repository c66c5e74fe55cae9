"""Changing the members of an ensemble, one safe step at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.planning.member_list import OBSERVER, PARTICIPANT
from functions.planning.scaling import (
    AddMember,
    CorrectList,
    Hold,
    Move,
    RemoveMember,
    RemoveVolumes,
    ReplacePod,
    RunServers,
    SeenEnsemble,
    next_move,
    wanted_roles,
)


def _seen(voters: int, *, leader: int = 1, observers: int = 0, **changed: object) -> SeenEnsemble:
    roles = wanted_roles(voters, observers)
    seen = SeenEnsemble(roles, 7, frozenset(roles), leader, len(roles), len(roles))
    return replace(seen, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "seen", "move"),
    [
        pytest.param(3, _seen(3), None, id="there-already"),
        pytest.param(5, _seen(3), RunServers(5), id="growing-starts-the-pods-first"),
        pytest.param(
            5,
            _seen(3, replicas=5, serving=frozenset({1, 2, 3, 5})),
            AddMember(5, PARTICIPANT, 7),
            id="who-has-caught-up-joins",
        ),
        pytest.param(
            4,
            _seen(3, replicas=4),
            Hold("ServersJoining", "Server 4 has not caught up with the leader yet."),
            id="who-has-not-caught-up-does-not",
        ),
        pytest.param(3, _seen(5), RemoveMember(5, 7, None), id="shrinking-takes-out-the-highest"),
        pytest.param(3, _seen(5, leader=5), RemoveMember(4, 7, None), id="the-leader-leaves-last"),
        pytest.param(
            3,
            _seen(4, leader=4),
            RemoveMember(4, 7, 3),
            id="pods-stop-with-the-last-removal",
        ),
        pytest.param(3, _seen(3, replicas=5), RunServers(3), id="left-over-pods-are-stopped"),
        pytest.param(
            3,
            _seen(3, leader=0),
            Hold("NoQuorum", "No majority of the voters serves: no member can be changed."),
            id="without-a-quorum-nothing-moves",
        ),
        pytest.param(
            3,
            _seen(3, leader=0, replicas=0),
            RunServers(3),
            id="pods-that-somebody-stopped-run-again",
        ),
        pytest.param(
            1,
            _seen(2, serving=frozenset({2}), leader=2),
            Hold(
                "TooFewServe",
                "Of the 1 voters there would be then, 0 serve (missing: 1): server 2 is not taken "
                "out until 1 do.",
            ),
            id="the-last-server-with-the-data-stays",
        ),
    ],
)
def test_next_move(wanted: int, seen: SeenEnsemble, move: Move | None) -> None:
    assert next_move(wanted_roles(wanted, 0), seen) == move


def test_a_voter_keeps_its_vote_while_the_others_have_no_majority() -> None:
    seen = _seen(3, serving=frozenset({1, 3}))
    assert next_move(wanted_roles(2, 1), seen) == Hold(
        "TooFewServe",
        "Of the 2 voters there would be then, 1 serve (missing: 2): server 3 keeps its vote until "
        "2 do.",
    )


def test_an_observer_becomes_a_voter_in_one_change() -> None:
    seen = _seen(3, observers=1)
    assert next_move(wanted_roles(4, 0), seen) == AddMember(4, PARTICIPANT, 7)


def test_the_leader_gives_up_its_vote_last() -> None:
    seen = _seen(3, leader=2)
    assert next_move(wanted_roles(1, 2), seen) == AddMember(3, OBSERVER, 7)


def _after(move: Move, seen: SeenEnsemble) -> SeenEnsemble:
    """Return what is seen once the move is done and every pod that runs serves."""
    roles = dict(seen.roles)
    match move:
        case AddMember(id=number, role=role):
            roles[number] = role
        case RemoveMember(id=number, replicas=replicas):
            del roles[number]
            seen = replace(seen, replicas=seen.replicas if replicas is None else replicas)
        case RunServers(replicas=replicas):
            seen = replace(seen, replicas=replicas)
        case Hold() | RemoveVolumes() | ReplacePod() | CorrectList():
            raise AssertionError(move)
    serving = frozenset(range(1, seen.replicas + 1))
    voters = {n for n, role in roles.items() if role == PARTICIPANT} & serving
    leader = seen.leader if seen.leader in voters else min(voters, default=0)
    return replace(seen, roles=roles, version=seen.version + 1, serving=serving, leader=leader)


SIZES = st.tuples(st.integers(1, 9), st.integers(0, 3))


@given(start=SIZES, goals=st.lists(SIZES, min_size=1, max_size=4), data=st.data())
def test_every_size_is_reached_with_a_majority_serving_after_every_move(
    start: tuple[int, int], goals: list[tuple[int, int]], data: st.DataObject
) -> None:
    seen = _seen(start[0], observers=start[1])
    seen = replace(seen, leader=data.draw(st.integers(1, start[0])))
    elections = 0
    for goal in goals:
        wanted = wanted_roles(*goal)
        moves = data.draw(st.integers(0, 40)) if goal is not goals[-1] else 60
        for _ in range(moves):
            move = next_move(wanted, seen)
            if move is None:
                break
            before, seen = seen, _after(move, seen)
            elections += before.leader != seen.leader
            voters = {n for n, role in seen.roles.items() if role == PARTICIPANT}
            assert 2 * len(voters & seen.serving) > len(voters)
            assert len(set(before.roles) ^ set(seen.roles)) <= 1
            assert seen.replicas >= max(seen.roles)
    assert next_move(wanted_roles(*goals[-1]), seen) is None
    assert dict(seen.roles) == wanted_roles(*goals[-1])
    assert elections <= len(goals)
