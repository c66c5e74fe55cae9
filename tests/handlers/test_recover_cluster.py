"""A lost majority on the memory twin: no empty disk ever wins, and a person's word counts once."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import pytest

from functions.api.kinds import CLUSTER, PERSISTENT_VOLUME_CLAIM, POD, STATEFUL_SET, Ref


def started(simulation: Any, replicas: int = 3, **spec: Any) -> int:
    """Return the zxid of a write that every server has."""
    simulation.apply(replicas=replicas, **spec)
    simulation.settle()
    assert simulation.condition("Available") == ("True", "QuorumServes")
    return int(ensemble(simulation).write())


def ensemble(simulation: Any) -> Any:
    return simulation.ensembles["apps/zk"]


def decide(simulation: Any, continue_from: str, replicas: int = 3, **spec: Any) -> None:
    """Set spec.recovery to the incident that status shows."""
    recovery = {"incident": simulation.cluster().status.incident, "continueFrom": continue_from}
    simulation.apply(replicas=replicas, recovery=recovery, **spec)


def told(simulation: Any) -> str:
    found = (c.message for c in simulation.cluster().status.conditions if c.type == "Scaled")
    return str(next(found))


def test_one_lost_disk_heals_by_itself(simulation: Any) -> None:
    written = started(simulation)
    simulation.lose("zk-0")
    simulation.settle()
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")
    assert ensemble(simulation).zxid == written
    assert "MajorityLost" not in simulation.events()


@pytest.mark.parametrize("lost", [("zk-0", "zk-1"), ("zk-1", "zk-2"), ("zk-0", "zk-2")])
def test_a_lost_majority_stays_down_and_says_who_holds_what(
    simulation: Any, lost: tuple[str, ...]
) -> None:
    written = started(simulation)
    simulation.lose(*lost)
    simulation.settle()
    assert simulation.condition("Available") == ("False", "NoQuorum")
    assert simulation.condition("Scaled") == ("False", "MajorityLost")
    (left,) = {"zk-0", "zk-1", "zk-2"} - set(lost)
    assert f"{left} holds data up to {written:#x}." in told(simulation)
    assert f"{lost[0]} and {lost[1]} have lost" in told(simulation)
    assert simulation.events().count("MajorityLost") == 1
    assert simulation.cluster().status.incident in told(simulation)
    assert "The condition Scaled says" in available(simulation)
    assert simulation.round() == 0, "an incident that stands costs no write"


def available(simulation: Any) -> str:
    found = (c.message for c in simulation.cluster().status.conditions if c.type == "Available")
    return str(next(found))


def test_a_person_continues_from_what_is_left(simulation: Any) -> None:
    written = started(simulation)
    simulation.lose("zk-0", "zk-1")
    simulation.settle()
    marked = list(simulation.markers)
    decide(simulation, "zk-2")
    simulation.settle()
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    assert ensemble(simulation).zxid == written
    assert len(simulation.markers) == len(marked) + 1, "one of two: just what the quorum lacked"
    status = simulation.cluster().status
    assert (status.incident, status.recovery, status.operation) == (None, None, None)
    assert {"Recovering", "Recovered"} <= set(simulation.events())


def test_five_servers_of_which_four_lost_their_disks(simulation: Any) -> None:
    written = started(simulation, 5)
    simulation.lose("zk-0", "zk-1", "zk-2", "zk-3")
    simulation.settle()
    marked = len(simulation.markers)
    decide(simulation, "zk-4", 5)
    simulation.settle()
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")
    assert ensemble(simulation).zxid == written
    assert len(simulation.markers) == marked + 2


def test_the_newest_of_those_that_are_left_is_continued_from(simulation: Any) -> None:
    started(simulation, 5)
    ensemble(simulation).stop(4)
    newest = ensemble(simulation).write()
    simulation.remove_pod("zk-4")
    simulation.remove_pod("zk-3")
    simulation.lose("zk-0", "zk-1", "zk-2")
    simulation.settle()
    decide(simulation, "zk-3", 5)
    simulation.settle()
    assert simulation.condition("Scaled") == ("False", "RecoveryRefused")
    assert "zk-4 holds newer data than zk-3" in told(simulation)
    decide(simulation, "zk-4", 5)
    simulation.settle()
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")
    assert ensemble(simulation).zxid == newest


def test_a_word_that_was_left_in_git_accepts_nothing_later(simulation: Any) -> None:
    started(simulation)
    simulation.lose("zk-0", "zk-1")
    simulation.settle()
    decide(simulation, "zk-2")
    simulation.settle()
    before, written = list(simulation.markers), ensemble(simulation).write()
    simulation.lose("zk-0", "zk-1")
    simulation.settle()
    assert simulation.condition("Scaled") == ("False", "MajorityLost")
    assert "quotes another incident" in told(simulation)
    assert simulation.markers == before
    decide(simulation, "zk-2")
    simulation.settle()
    assert ensemble(simulation).zxid == written


def test_a_disk_that_comes_back_ends_the_incident(simulation: Any) -> None:
    written = started(simulation)
    kept = {uid: disk for uid, disk in simulation.disks.items() if not disk.is_empty}
    simulation.lose("zk-0", "zk-1")
    simulation.settle()
    assert simulation.cluster().status.incident
    ref = Ref(PERSISTENT_VOLUME_CLAIM, "apps", "data-zk-0")
    uid = simulation.kube.get(ref)["metadata"]["uid"]
    simulation.remove_pod("zk-0")
    simulation.disks[uid] = next(iter(kept.values()))
    simulation.zxids[uid] = written
    simulation.disk_at.clear()
    for server in ensemble(simulation).servers.values():
        simulation.disk_at[server.host] = "as it was"
    simulation.settle()
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")
    assert simulation.cluster().status.incident is None
    assert ensemble(simulation).zxid == written


def _delete_claims(simulation: Any) -> None:
    simulation.lose("zk-0", "zk-1")


def _delete_everything(simulation: Any) -> None:
    simulation.lose("zk-0", "zk-1", "zk-2")


def _scale_up(simulation: Any) -> None:
    simulation.lose("zk-0", "zk-1")
    simulation.apply(replicas=5)


def _scale_down(simulation: Any) -> None:
    simulation.lose("zk-0", "zk-1")
    simulation.apply(replicas=1)


def _scale_the_stateful_set(simulation: Any) -> None:
    simulation.lose("zk-0", "zk-1")
    ref = Ref(STATEFUL_SET, "apps", "zk")
    found = simulation.kube.get(ref)
    found["spec"]["replicas"] = 0
    simulation.kube.update(found, manager="kubectl-scale")
    simulation.kubernetes()


def _roll(simulation: Any) -> None:
    simulation.lose("zk-0", "zk-1")
    simulation.apply(replicas=3, restartedAt="2026-02-02T00:00:00Z")


def _delete_pods(simulation: Any) -> None:
    simulation.lose("zk-0", "zk-1")
    for _ in range(3):
        simulation.settle()
        simulation.remove_pod("zk-0")
        simulation.remove_pod("zk-1")


def _remake_the_stateful_set(simulation: Any) -> None:
    """As `kubectl delete --cascade=orphan`: the pods stay until the new one takes them."""
    ref = Ref(STATEFUL_SET, "apps", "zk")
    simulation.kube.delete(ref, uid=simulation.kube.get(ref)["metadata"]["uid"])
    simulation.lose("zk-0", "zk-1")


def _remake_the_cluster(simulation: Any) -> None:
    simulation.lose("zk-0", "zk-1")
    simulation.settle()
    simulation.delete()
    simulation.settle()
    assert simulation.kube.get(Ref(CLUSTER, "apps", "zk")) is None
    simulation.apply(replicas=3)


def _lose_the_status(simulation: Any) -> None:
    simulation.lose("zk-0", "zk-1")
    found = simulation.kube.get(Ref(CLUSTER, "apps", "zk"))
    simulation.kube.update({**found, "status": {}}, manager="kubectl-edit", subresource="status")


def _quote_a_wrong_incident(simulation: Any) -> None:
    simulation.lose("zk-0", "zk-1")
    simulation.settle()
    recovery = {"incident": "wrong", "continueFrom": "zk-2"}
    simulation.apply(replicas=3, recovery=recovery)


def _stop_and_wake(simulation: Any) -> None:
    simulation.lose("zk-0", "zk-1")
    simulation.settle()
    simulation.apply(replicas=3, stopped=True)
    simulation.settle()
    simulation.apply(replicas=3, stopped=False)


SHORT_WAYS: dict[str, Callable[[Any], None]] = {
    "deleted-claims": _delete_claims,
    "all-claims": _delete_everything,
    "scale-up": _scale_up,
    "scale-down": _scale_down,
    "scale-the-stateful-set": _scale_the_stateful_set,
    "roll": _roll,
    "deleted-pods": _delete_pods,
    "re-made-stateful-set": _remake_the_stateful_set,
    "re-made-cluster": _remake_the_cluster,
    "lost-status": _lose_the_status,
    "wrong-incident": _quote_a_wrong_incident,
    "stop-and-wake": _stop_and_wake,
}


@pytest.mark.parametrize("way", SHORT_WAYS)
def test_no_shorter_way_lets_empty_disks_win(simulation: Any, way: str) -> None:
    written = started(simulation)
    marked = list(simulation.markers)
    SHORT_WAYS[way](simulation)
    simulation.settle()
    assert simulation.markers == marked
    assert ensemble(simulation).leader == 0
    assert simulation.condition("Scaled") == ("False", "MajorityLost")
    # What is left is as it was, and still the way out.
    if way != "all-claims":
        assert f"zk-2 holds data up to {written:#x}" in told(simulation)


@pytest.mark.parametrize("way", [_remake_the_cluster, _lose_the_status])
def test_a_cluster_that_was_made_again_is_recovered_as_well(simulation: Any, way: Any) -> None:
    written = started(simulation)
    way(simulation)
    simulation.settle()
    decide(simulation, "zk-2")
    simulation.settle()
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")
    assert ensemble(simulation).zxid == written


def test_a_scale_that_waited_goes_on_after_the_recovery(simulation: Any) -> None:
    written = started(simulation)
    simulation.lose("zk-0", "zk-1")
    simulation.apply(replicas=5)
    simulation.settle()
    decide(simulation, "zk-2", 5)
    simulation.settle()
    assert len(simulation.cluster().status.members) == 5
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    assert ensemble(simulation).zxid > written


def test_ephemeral_servers_are_let_in_by_their_new_pods(simulation: Any) -> None:
    written = started(simulation, storage={"ephemeral": True})
    simulation.lose("zk-0", "zk-1")
    simulation.settle()
    assert "ephemeral storage goes with its pod" in told(simulation)
    decide(simulation, "zk-2", storage={"ephemeral": True})
    simulation.settle()
    assert simulation.condition("QuorumHealthy") == ("True", "AllServe")
    assert ensemble(simulation).zxid == written


def test_a_roll_never_takes_the_last_data_of_ephemeral_servers(simulation: Any) -> None:
    written = started(simulation, storage={"ephemeral": True})
    simulation.lose("zk-0", "zk-1")
    simulation.settle()
    uid = simulation.kube.get(Ref(POD, "apps", "zk-2"))["metadata"]["uid"]
    simulation.apply(replicas=3, storage={"ephemeral": True}, restartedAt="2026-02-02T00:00:00Z")
    simulation.settle()
    assert simulation.condition("Updated") == ("False", "WouldLoseData")
    assert simulation.kube.get(Ref(POD, "apps", "zk-2"))["metadata"]["uid"] == uid
    restarted = "2026-02-02T00:00:00Z"
    decide(simulation, "zk-2", storage={"ephemeral": True}, restartedAt=restarted)
    simulation.settle()
    assert simulation.condition("Updated") == ("True", "AsWanted")
    assert ensemble(simulation).zxid == written


@pytest.mark.parametrize("size", [1, 2])
def test_a_roll_never_takes_data_that_a_small_ephemeral_ensemble_needs(
    simulation: Any, size: int
) -> None:
    started(simulation, replicas=size, storage={"ephemeral": True})
    before = {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}
    simulation.apply(replicas=size, storage={"ephemeral": True}, restartedAt="2026-02-02T00:00:00Z")
    simulation.settle()
    assert simulation.condition("Updated") == ("False", "WouldLoseData")
    assert {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")} == before


def test_a_let_in_server_that_is_lost_again_does_not_vote(simulation: Any) -> None:
    """Its volume is another one: what was decided about the first says nothing of it."""
    written = started(simulation)
    simulation.lose("zk-0", "zk-1")
    simulation.settle()
    decide(simulation, "zk-2")
    for _ in range(4):
        simulation.deliver("scale")
    assert "zk-0" not in simulation.pods()
    simulation.broken_pods.add("zk-2")
    simulation.remove_pod("zk-2")
    before = len(simulation.markers)
    simulation.kubernetes()
    assert len(simulation.markers) == before + 1, "let in, and it finds no leader"
    simulation.lose("zk-0")
    marked = len(simulation.markers)
    simulation.broken_pods.clear()
    simulation.settle()
    assert ensemble(simulation).leader == 0
    assert len(simulation.markers) == marked
    assert simulation.condition("Scaled") == ("False", "MajorityLost")
    decide(simulation, "zk-2")
    simulation.settle()
    assert ensemble(simulation).zxid == written


def test_a_single_server_without_its_disk_says_that_nothing_is_left(simulation: Any) -> None:
    started(simulation, 1)
    simulation.lose("zk-0")
    simulation.settle()
    assert simulation.condition("Scaled") == ("False", "MajorityLost")
    assert "zk-0, the only server, has lost its disk" in told(simulation)
    assert "No disk holds data" in told(simulation)


WEIGHTS = {
    "write": 3, "lose": 1, "lose-two": 1, "kill": 1, "break": 1, "mend": 2, "scale": 5, "roll": 1,
    "nodes": 5, "decide": 3, "restart": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.thorough) for n in range(1, 8))]
)
def test_whatever_is_lost_in_whatever_order_no_acknowledged_write_is_lost_unseen(
    simulation: Any, seed: int
) -> None:
    """Only what a person accepted may be missing; what the named server has is there."""
    chance = random.Random(seed)
    acknowledged = started(simulation)
    for step in chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=80):
        if step == "write" and ensemble(simulation).elect():
            acknowledged = ensemble(simulation).write()
        elif step != "write":
            _happens(simulation, step, *chance.sample(simulation.pods() or ["zk-0"], k=1))
        acknowledged = min(acknowledged, _accepted(simulation))
        if ensemble(simulation).elect():
            assert ensemble(simulation).zxid >= acknowledged, f"lost after {step}"


def _happens(simulation: Any, step: str, pod: str) -> None:
    match step:
        case "scale" | "roll":
            assert simulation.deliver(step).status in (204, 409)
        case "nodes":
            simulation.kubernetes()
        case "decide" if simulation.cluster().status.incident:
            decide(simulation, _newest(simulation))
        case "restart":
            simulation.apply(replicas=3, restartedAt=f"2026-02-02T00:00:{simulation.clock:%S}Z")
        case "mend":
            simulation.broken_pods.clear()
        case _:
            _breaks(simulation, step, pod)


def _breaks(simulation: Any, step: str, pod: str) -> None:
    match step:
        case "lose" if pod in _spare(simulation):
            simulation.lose(pod)
        case "lose-two":
            simulation.lose(*_spare(simulation))
        case "kill" | "break" if pod in simulation.pods():
            simulation.remove_pod(pod)
            simulation.broken_pods |= {pod} if step == "break" else set()
        case _:
            pass  # It cannot happen to a pod that is not there.


def _spare(simulation: Any) -> list[str]:
    """Return every pod but that of the newest data: without it there is nothing left to lose."""
    return [name for name in simulation.pods() if name != _newest(simulation)]


def _newest(simulation: Any) -> str:
    servers = ensemble(simulation).servers.values()
    return f"zk-{max(servers, key=lambda it: (it.has_data, it.zxid)).id - 1}"


def _accepted(simulation: Any) -> int:
    """Return up to where a person accepted to go back: what the named server holds."""
    recovery = simulation.cluster().status.recovery
    if recovery is None:
        return sys.maxsize
    number = int(recovery.continue_from.rpartition("-")[2]) + 1
    return int(ensemble(simulation).servers[number].zxid)
