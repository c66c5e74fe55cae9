"""What moves servers, and the moments of it at which a fault can strike.

A moment is seen from outside by looking often; a quick step may be over when it is seen, so each
look takes what comes later, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.system.clusters import Cluster, now

SETTLE_SECONDS = 180.0
MOMENT_SECONDS = 60.0
SMALL, LARGE = 3, 5

Moment = Callable[[Cluster], bool]
Strike = Callable[[Cluster], None]


def resize(cluster: Cluster, size: int) -> None:
    cluster.kubectl("scale", "zkcluster", cluster.name, f"--replicas={size}")


def arrive(cluster: Cluster, size: int) -> None:
    """Wait until the ensemble has this size and all is well."""
    status = cluster.until_settled(SETTLE_SECONDS)
    assert [member["id"] for member in status["members"]] == list(range(1, size + 1))
    assert len(cluster.pods()) == size
    # Status says that all is as wanted a moment before the lock is given back.
    cluster.until(lambda: "operation" not in cluster.status(), "the last operation to end")


def restart(cluster: Cluster) -> None:
    cluster.patch({"restartedAt": now().isoformat(timespec="seconds")})


def steps(cluster: Cluster) -> str:
    """Return the step in flight, or nothing."""
    return str(cluster.status().get("operation", {}).get("step", ""))


def members(cluster: Cluster) -> int:
    return len(cluster.status()["members"])


@dataclass(frozen=True, slots=True)
class Phase:
    """A moment of a journey: on the way up, on the way down, or while pods are replaced."""

    journey: str
    has_come: Moment


PHASES: Mapping[str, Phase] = {
    "joiner-starts": Phase("up", lambda c: len(c.pods()) > SMALL),
    "before-add": Phase("up", lambda c: steps(c) == "AddMember" or members(c) > SMALL),
    "after-add": Phase("up", lambda c: members(c) > SMALL),
    "before-remove": Phase("down", lambda c: steps(c) == "RemoveMember" or members(c) < LARGE),
    "after-remove": Phase("down", lambda c: members(c) < LARGE),
    "before-pods-go": Phase("down", lambda c: members(c) == SMALL),
    "roll-begins": Phase("roll", lambda c: steps(c) == "ReplacePod"),
}


def travel(cluster: Cluster, phase: Phase, strike: Strike) -> None:
    """Go the whole way, 3-5-3 or a roll of all, and strike when the phase has come."""
    if phase.journey == "roll":
        before = cluster.uids()
        restart(cluster)
        _strike_at(cluster, phase, strike)
        arrive(cluster, SMALL)
        assert not before & cluster.uids(), "a pod was not replaced"
        return
    for journey, size in (("up", LARGE), ("down", SMALL)):
        resize(cluster, size)
        if journey == phase.journey:
            _strike_at(cluster, phase, strike)
        arrive(cluster, size)


def _strike_at(cluster: Cluster, phase: Phase, strike: Strike) -> None:
    cluster.until(lambda: phase.has_come(cluster), "the moment to strike", MOMENT_SECONDS)
    strike(cluster)
