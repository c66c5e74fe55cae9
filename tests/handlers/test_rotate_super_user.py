"""A new password for the super user while servers run: the functions can always reconfigure."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.kinds import POD, SECRET, Ref
from functions.manifests.access import FORMER_PASSWORDS, passwords

TIME = "2026-01-01T00:00:00Z"


def _secret(simulation: Any) -> Any:
    return simulation.kube.get(Ref(SECRET, "apps", "zk-super-user"))


def _uids(simulation: Any) -> set[str]:
    return {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}


def test_a_rotation_is_one_roll_and_nothing_of_before_stays(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    (old,), before = passwords(_secret(simulation)), _uids(simulation)
    simulation.apply(replicas=3, superUser={"rotatedAt": TIME})
    simulation.settle()
    (new,) = passwords(_secret(simulation))
    assert new != old
    assert FORMER_PASSWORDS not in _secret(simulation)["data"]
    assert not _uids(simulation) & before
    assert simulation.events().count("Rolled") == simulation.events().count("PasswordRotated") == 1
    after = _uids(simulation)
    assert simulation.round() == 0
    assert _uids(simulation) == after, "tidying up rolls nothing"


@pytest.mark.parametrize("rounds", [0, 1, 2, 3, 5, 8])
@pytest.mark.thorough
def test_at_every_moment_of_a_rotation_a_server_can_be_added(simulation: Any, rounds: int) -> None:
    """Each server is asked with its own password, the new and those still of before."""
    simulation.apply(replicas=3)
    simulation.settle()
    simulation.apply(replicas=3, superUser={"rotatedAt": TIME})
    for _ in range(rounds):
        simulation.round()
        simulation.kubernetes()
    simulation.apply(replicas=4, superUser={"rotatedAt": TIME})
    simulation.settle()
    assert "ReconfigRefused" not in simulation.events()
    assert len(simulation.ensembles["apps/zk"].config.members) == 4
    assert len(passwords(_secret(simulation))) == 1


@pytest.mark.thorough
def test_two_rotations_at_once_end_with_the_last_one(simulation: Any) -> None:
    simulation.apply(replicas=3)
    simulation.settle()
    for second in range(4):
        simulation.apply(replicas=3, superUser={"rotatedAt": f"2026-01-01T00:00:0{second}Z"})
        simulation.round()
        simulation.kubernetes()
    assert len(passwords(_secret(simulation))) > 2
    simulation.apply(replicas=4, superUser={"rotatedAt": TIME})
    simulation.settle()
    assert len(passwords(_secret(simulation))) == 1
    assert "ReconfigRefused" not in simulation.events()


def test_a_paused_cluster_keeps_its_password(simulation: Any) -> None:
    simulation.apply(replicas=1)
    simulation.settle()
    before = passwords(_secret(simulation))
    simulation.apply(replicas=1, paused=True, superUser={"rotatedAt": TIME})
    simulation.settle()
    assert passwords(_secret(simulation)) == before
