"""Everything that can break does, at rest and on every way, under a continuous writer.

`make soak ROUNDS=5` does each scenario five times in a row on the same ensemble. Each tells what
was acknowledged, the errors and the longest gap; nothing acknowledged may be lost on any server.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.platform.handle import Platform
from tests.system.clusters import RESYNC_SECONDS, Cluster, condition, fresh_namespace, now
from tests.system.faults import api_server_away, clear, events_lost, functions_killed, strike
from tests.system.journeys import PHASES, Phase, arrive, resize, restart, travel
from tests.system.writing import Writes, continuous_writes

pytestmark = pytest.mark.system

ROUNDS = int(os.environ.get("ROUNDS", "1"))
SERVING = ("leader", "follower")
NOTICE_SECONDS = 60.0
AWAY_SECONDS = 12.0
ENOUGH = 100
LOST_SECONDS = 6.0 * RESYNC_SECONDS

Scene = Callable[[Cluster], None]


class Ensembles:
    """Three servers for one scenario after the other; new ones after a scenario that failed."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._namespaces = ExitStack()
        self._there: Cluster | None = None

    def healthy(self) -> Cluster:
        there, self._there = self._there, None
        if there is None:
            namespace = self._namespaces.enter_context(fresh_namespace(self._platform))
            there = Cluster(self._platform, namespace)
            there.apply(replicas=3)
        arrive(there, 3)
        return there

    def is_well(self, cluster: Cluster) -> None:
        self._there = cluster

    def close(self) -> None:
        self._namespaces.close()


@pytest.fixture(scope="module")
def ensembles(product: Platform) -> Iterator[Ensembles]:
    found = Ensembles(product)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def play(
    ensembles: Ensembles, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[Scene], Writes]]:
    """Play a scene on three healthy servers, as often as asked, and have every write checked."""
    cluster = ensembles.healthy()

    def scene(act: Scene, times: int = 1) -> Writes:
        with continuous_writes(cluster, tmp_path, str(request.node.name)) as writes:
            for _ in range(max(times, ROUNDS)):
                act(cluster)
                arrive(cluster, 3)
                _write_on(cluster, writes)
        ensembles.is_well(cluster)
        return writes

    try:
        yield scene
    finally:
        clear(cluster.platform)


def _write_on(cluster: Cluster, writes: Writes) -> None:
    """Wait until the writer has gone on: whatever comes next must not hide that it stands still."""
    before = writes.count()
    cluster.until(lambda: writes.count() > before + ENOUGH, "the writer to go on")


def _victims(cluster: Cluster, who: str) -> list[str]:
    leader = cluster.until(lambda: cluster.status().get("leader", ""), "a leader")
    others = [name for name, found in cluster.servers().items() if found["mode"] == "follower"]
    return {"leader": [leader], "follower": others[:1], "followers": others}[who]


def _hurt(fault: str, who: str) -> Scene:
    """Return a strike against servers that ends when status tells of it."""

    def strike_now(cluster: Cluster) -> None:
        victims = _victims(cluster, who)
        before = _restarts(cluster, victims)
        strike(cluster, fault, *victims)
        if fault == "kill":
            cluster.until(lambda: _restarts(cluster, victims) != before, "it is started again")
            return
        cluster.until(lambda: _is_felt(cluster, victims), "it is felt", NOTICE_SECONDS)
        clear(cluster.platform)

    return strike_now


def _is_felt(cluster: Cluster, victims: list[str]) -> bool:
    """Whether it made a difference: another leads, one follower is missed, or nobody can lead.

    Status says at once that a server does not answer; the others elect a new leader later, after
    `syncLimit` ticks without a word from theirs.
    """
    status = cluster.status()
    if len(victims) > 1:
        return bool(condition(status, "Available")["status"] == "False")
    modes = {server["name"]: server["mode"] for server in status["servers"]}
    missing = [name for name in victims if modes.get(name, "") not in SERVING]
    return bool(missing) and bool(status.get("leader"))


def _restarts(cluster: Cluster, names: list[str]) -> dict[str, tuple[str, int]]:
    """A pod's uid and the restarts of its server: both change when it is not the same any more."""
    return {
        name: (
            pod["metadata"]["uid"],
            sum(c["restartCount"] for c in pod["status"].get("containerStatuses", ())),
        )
        for name, pod in cluster.pods().items()
        if name in names
    }


soak = pytest.mark.soak


@pytest.mark.parametrize(
    ("fault", "who", "elections"),
    [
        pytest.param("kill", "leader", 1, id="leader-killed", marks=soak),
        pytest.param("pause", "leader", 1, id="leader-paused", marks=soak),
        pytest.param("cut", "leader", 1, id="leader-cut-off", marks=soak),
        pytest.param("kill", "follower", 0, id="follower-killed", marks=soak),
        pytest.param("pause", "follower", 0, id="follower-paused", marks=soak),
        pytest.param("cut", "follower", 0, id="follower-cut-off", marks=soak),
    ],
)
def test_one_server_struck_at_rest(
    play: Callable[[Scene], Writes], fault: str, who: str, elections: int
) -> None:
    assert play(_hurt(fault, who)).elections() == elections * ROUNDS


@soak
@pytest.mark.parametrize("fault", ["kill", "pause", "cut"])
def test_both_followers_struck_at_rest(play: Callable[[Scene], Writes], fault: str) -> None:
    play(_hurt(fault, "followers"))


@soak
@pytest.mark.parametrize("phase", PHASES.values(), ids=PHASES.keys())
@pytest.mark.parametrize("who", ["leader", "follower"])
@pytest.mark.parametrize("fault", ["kill", "pause", "cut"])
def test_one_server_struck_on_the_way(
    play: Callable[[Scene], Writes], fault: str, who: str, phase: Phase
) -> None:
    play(lambda cluster: travel(cluster, phase, _hurt(fault, who)))


def _grow_and_shrink(cluster: Cluster) -> None:
    for size in (5, 3):
        resize(cluster, size)
        arrive(cluster, size)


def _roll(cluster: Cluster) -> None:
    before = cluster.pods()
    restart(cluster)
    arrive(cluster, 3)
    for name, pod in cluster.pods().items():
        assert pod["metadata"]["uid"] != before[name]["metadata"]["uid"]


@soak
@pytest.mark.parametrize(
    "journey", [pytest.param(_grow_and_shrink, id="scale"), pytest.param(_roll, id="roll")]
)
def test_functions_killed_between_their_steps(
    play: Callable[[Scene], Writes], product: Platform, journey: Scene
) -> None:
    with functions_killed(product, seed=4) as killed:
        play(journey)
    assert len(killed) >= 3, killed


def _api_server_away(cluster: Cluster) -> None:
    with api_server_away(cluster.platform):
        _pass(AWAY_SECONDS, cluster)


def _events_lost(cluster: Cluster) -> None:
    with events_lost(cluster):
        _pass(LOST_SECONDS, cluster)


def _pass(seconds: float, cluster: Cluster) -> None:
    since = now()
    cluster.until(lambda: (now() - since).total_seconds() > seconds, "a while to pass", seconds * 2)


AWAY = ("joiner-starts", "before-remove", "roll-begins")


@soak
@pytest.mark.parametrize("phase", AWAY)
def test_the_api_server_gone_on_the_way(play: Callable[[Scene], Writes], phase: str) -> None:
    play(lambda cluster: travel(cluster, PHASES[phase], _api_server_away))


@soak
@pytest.mark.parametrize("phase", AWAY)
def test_all_events_lost_on_the_way(play: Callable[[Scene], Writes], phase: str) -> None:
    play(lambda cluster: travel(cluster, PHASES[phase], _events_lost))


@soak
def test_a_roll_to_pods_that_fit_nowhere_costs_one_server_and_goes_back(
    play: Callable[[Scene], Writes],
) -> None:
    def roll_and_go_back(cluster: Cluster) -> None:
        before = cluster.uids()
        cluster.patch({"pod": {"nodeSelector": {"no": "such-node"}}})
        cluster.until(
            lambda: cluster.condition("Updated")["reason"] == "PodNotHealthy", "the roll stops"
        )
        _pass(3.0 * RESYNC_SECONDS, cluster)
        after = cluster.uids()
        assert len(before & after) == 2
        cluster.patch({"pod": {"nodeSelector": None}})

    play(roll_and_go_back)


def _lose_in_place(who: str) -> Scene:
    """The files of a server are gone, and its pod stays: `scale` gives it a new one."""

    def lose(cluster: Cluster) -> None:
        victims = _victims(cluster, who)
        before = {name: cluster.pods()[name]["metadata"]["uid"] for name in victims}
        strike(cluster, "lose-volume", *victims)
        cluster.until(lambda: _is_felt(cluster, victims), "it is felt", NOTICE_SECONDS)
        cluster.until(
            lambda: not cluster.uids() & set(before.values()), "a new pod", NOTICE_SECONDS
        )

    return lose


def _lose_with_pod(who: str) -> Scene:
    """A node is gone for good, with its disk."""

    def lose(cluster: Cluster) -> None:
        (victim,) = _victims(cluster, who)
        old = cluster.pods()[victim]["metadata"]["uid"]
        cluster.kubectl("delete", "pvc", f"data-{victim}", "--wait=false")
        cluster.kubectl("delete", "pod", victim, "--wait=false", "--grace-period=1")
        cluster.until(
            lambda: (
                cluster.pods().get(victim, {"metadata": {"uid": old}})["metadata"]["uid"] != old
            ),
            "a new pod",
        )

    return lose


def _one_after_the_other(cluster: Cluster) -> None:
    """Two of three lose their disks, the second when the first has healed; the leader is one."""
    for who in ("follower", "leader"):
        _lose_with_pod(who)(cluster)
        arrive(cluster, 3)


@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(_lose_with_pod("follower"), id="follower", marks=soak),
        pytest.param(_lose_with_pod("leader"), id="leader", marks=soak),
        pytest.param(_one_after_the_other, id="two-of-three-one-after-the-other", marks=soak),
        pytest.param(_lose_in_place("follower"), id="follower-in-place", marks=soak),
        pytest.param(_lose_in_place("leader"), id="leader-in-place", marks=soak),
    ],
)
def test_a_volume_lost(play: Callable[[Scene], Writes], lose: Scene) -> None:
    play(lose)


@soak
@pytest.mark.parametrize("times", [1, 5], ids=["once", "five-times-in-a-row"])
def test_all_pods_deleted_at_once(play: Callable[..., Writes], times: int) -> None:
    play(_delete_all, times=times)


@soak
def test_all_pods_deleted_at_once_again_before_they_have_healed(
    play: Callable[..., Writes],
) -> None:
    def delete_again_and_again(cluster: Cluster) -> None:
        for _ in range(5):
            _delete_all(cluster)

    play(delete_again_and_again)


def _delete_all(cluster: Cluster) -> None:
    """Delete all pods at once; over when others have their names."""
    before = cluster.uid_of_pods()
    cluster.kubectl("delete", "pods", "-l", f"instance={cluster.name}", "--wait=false")
    cluster.until(
        lambda: _are_replaced(before, cluster.uid_of_pods()),
        "new pods in place of all the old ones",
        NOTICE_SECONDS,
    )


def _are_replaced(before: dict[str, str], after: dict[str, str]) -> bool:
    return set(after) == set(before) and not set(after.values()) & set(before.values())


@soak
@pytest.mark.parametrize("who", ["follower", "leader"])
def test_a_full_disk_of_one_server(cluster: Cluster, tmp_path: Path, who: str) -> None:
    """A server that cannot write ends; the others go on, and it comes back when there is room."""
    cluster.apply(replicas=3, storage={"size": "128Mi", "storageClassName": "sized"})
    cluster.until_settled()
    with continuous_writes(cluster, tmp_path, f"full disk of the {who}") as writes:
        for _ in range(ROUNDS):
            _fill_and_free(cluster, writes, who)


def _fill_and_free(cluster: Cluster, writes: Writes, who: str) -> None:
    victims = _victims(cluster, who)
    strike(cluster, "fill", *victims)
    cluster.until(lambda: _is_felt(cluster, victims), "it is felt", NOTICE_SECONDS)
    _write_on(cluster, writes)
    strike(cluster, "free", *victims)
    arrive(cluster, 3)
