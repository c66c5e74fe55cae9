"""A backup put in place, from `kubectl apply` to its end, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.api.errors import Unavailable
from functions.api.kinds import CLUSTER, EVENT, JOB, POD, RESTORE, STATEFUL_SET, Ref
from tests.handlers.job_controller import Ending
from tests.handlers.laws import check_invariants

BACK = Ref(RESTORE, "apps", "back")
HELD_STEPS = ("Arm", "Stop", "Start", "Open")
# `make check` tries these; the others take it over its minute.
QUICK = ("Start",)
LONG = timedelta(minutes=11)


def steps(*names: str) -> list[Any]:
    """Return the steps as cases of a test, most of them left to `make test`."""
    marks = {name: () if name in QUICK else (pytest.mark.thorough,) for name in names}
    return [pytest.param(name, marks=marks[name]) for name in names]


def step_of(simulation: Any) -> str:
    held = simulation.cluster().status.operation
    return held.step if held is not None and held.type == "Restore" else ""


def go_until(simulation: Any, is_there: Callable[[Any], bool]) -> None:
    """Let the world turn, a delivery at a time, until something is so."""
    for _ in range(60):
        for function in ("restore", "reconcile-cluster", "scale", "roll", "observe"):
            simulation.deliver(function)
            check_invariants(simulation)
            if is_there(simulation):
                return
        simulation.kubernetes()
        check_invariants(simulation)
        if is_there(simulation):
            return
    raise AssertionError(f"it never comes to it: {simulation.restore().status}")


def go_on(simulation: Any) -> None:
    """Let the world turn until nothing happens any more."""
    for _ in range(60):
        written = simulation.round()
        changed = simulation.kubernetes()
        check_invariants(simulation)
        if not written and not changed:
            return
    raise AssertionError("it never settles")


def serving(simulation: Any, size: int = 3, **spec: Any) -> None:
    simulation.apply(replicas=size, **spec)
    simulation.settle()


def histories(simulation: Any) -> set[str]:
    """Return whose data the servers that clients reach have."""
    (ensemble,) = simulation.ensembles.values()
    return {
        server.restored
        for server in ensemble.servers.values()
        if server.port == 2181 and ensemble.mode_of(server.id)
    }


def assert_restored(simulation: Any, name: str = "back") -> None:
    made = simulation.restore(name)
    assert (made.status.status, made.status.step) == ("restarted", "Done"), made.status
    assert histories(simulation) == {made.metadata.uid}
    assert simulation.cluster().status.restored == made.metadata.uid
    assert_at_peace(simulation)


def assert_own_data(simulation: Any) -> None:
    assert histories(simulation) == {""}
    assert_at_peace(simulation)


def assert_at_peace(simulation: Any) -> None:
    """Nobody holds the servers, clients are served, and nothing is left on the volumes."""
    assert simulation.cluster().status.operation is None
    for kind in ("Available", "QuorumHealthy", "Scaled", "Updated"):
        assert simulation.condition(kind)[0] == "True", kind
    programs = [
        job["metadata"]["name"].partition("-")[0] for job in simulation.kube.list(JOB, "apps")
    ]
    assert not {"stage", "arm", "clean"} & set(programs)
    for content in simulation.jobs.volumes.contents.values():
        assert (content.staged, content.armed, content.is_applied) == (frozenset(), "", False)
    assert simulation.resync("unsettled") == []


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.thorough
def test_a_backup_is_put_in_place(simulation: Any, size: int) -> None:
    serving(simulation, size)
    simulation.apply_restore()
    go_on(simulation)
    assert_restored(simulation)
    status = simulation.restore().status
    assert (status.zxid, status.nodes, status.epoch) == ("0x100000007", 9, 1)
    told = [event["reason"] for event in simulation.kube.list(EVENT, "apps")]
    for reason in (
        "Staging", "Arming", "Stopping", "Starting", "Verifying", "Opening", "CleaningUp",
        "Restored", "Restoring",
    ):  # fmt: skip
        assert reason in told
    assert simulation.restore().metadata.finalizers == ()


@pytest.mark.thorough
def test_every_server_stops_before_the_first_one_starts(simulation: Any) -> None:
    serving(simulation)
    before = {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}
    simulation.apply_restore()
    go_until(simulation, lambda world: step_of(world) == "Start")
    servers = [name for name in simulation.pods() if name.startswith("zk-")]
    assert servers == []
    simulation.deliver("observe")
    assert simulation.condition("Available") == ("False", "Restoring")
    go_on(simulation)
    after = {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}
    assert {uid for uid in before & after} == set()


@pytest.mark.thorough
def test_one_change_of_the_list_lets_clients_in(simulation: Any) -> None:
    serving(simulation)
    simulation.zookeeper.changes.clear()
    simulation.apply_restore()
    go_on(simulation)
    (change,) = simulation.zookeeper.changes
    assert change.count("server.") == 3
    assert change.count(";0.0.0.0:2181") == 3


@pytest.mark.thorough
def test_staged_only_until_somebody_asks_for_more(simulation: Any) -> None:
    serving(simulation)
    before = {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}
    simulation.apply_restore(rolloutRestart=False)
    go_on(simulation)
    made = simulation.restore()
    assert made.status.status == "completed"
    assert "spec.rolloutRestart" in (made.status.message or "")
    assert made.metadata.finalizers
    assert before <= {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}
    assert histories(simulation) == {""}
    assert simulation.kube.list(JOB, "apps") == []
    assert simulation.resync("unsettled") == []
    simulation.apply_restore(rolloutRestart=True)
    assert simulation.resync("unsettled") == [BACK]
    go_on(simulation)
    assert_restored(simulation)


def test_what_is_staged_goes_with_the_restore(simulation: Any) -> None:
    serving(simulation)
    simulation.apply_restore(rolloutRestart=False)
    go_on(simulation)
    delete(simulation)
    go_on(simulation)
    assert simulation.kube.get(BACK) is None
    assert_own_data(simulation)


def delete(simulation: Any, ref: Ref = BACK) -> None:
    found = simulation.kube.get(ref)
    assert found is not None
    simulation.kube.delete(ref, uid=found["metadata"]["uid"])


@pytest.mark.thorough
def test_two_restores_go_one_after_the_other(simulation: Any) -> None:
    serving(simulation)
    simulation.apply_restore("back")
    go_until(simulation, lambda world: world.restore().status.step == "Stage")
    simulation.apply_restore("later")
    simulation.round()
    told = simulation.restore("later").status.message or ""
    assert "back" in told
    go_on(simulation)
    assert simulation.restore("back").status.status == "restarted"
    assert_restored(simulation, "later")


@pytest.mark.parametrize("program", ["stage", "arm"])
@pytest.mark.thorough
def test_a_program_that_fails_leaves_the_own_data_serving(simulation: Any, program: str) -> None:
    serving(simulation)
    before = {name for name in simulation.pods() if name.startswith("zk-")}
    simulation.jobs.endings[program] = Ending("log.7: the checksum is wrong.", code=2, times=9)
    simulation.apply_restore()
    go_on(simulation)
    status = simulation.restore().status
    assert (status.status, status.step) == ("failed", "Done")
    assert "log.7: the checksum is wrong." in (status.message or "")
    assert {name for name in simulation.pods() if name.startswith("zk-")} == before
    assert_own_data(simulation)


@pytest.mark.thorough
def test_what_cannot_be_cleaned_is_said_and_the_restore_ends(simulation: Any) -> None:
    serving(simulation)
    simulation.jobs.endings["clean"] = Ending("no", code=2, times=1)
    simulation.apply_restore()
    go_on(simulation)
    status = simulation.restore().status
    assert status.status == "restarted"
    assert "still there" in status.warnings[0]


@pytest.mark.thorough
def test_a_clean_up_that_never_ends_is_not_waited_for(simulation: Any) -> None:
    serving(simulation)
    simulation.jobs.held.add("clean")
    simulation.apply_restore()
    go_on(simulation)
    assert simulation.restore().status.step == "CleanUp"
    simulation.clock += LONG
    go_on(simulation)
    assert simulation.restore().status.status == "restarted"


@pytest.mark.parametrize("step", steps("Stage", *HELD_STEPS, "CleanUp"))
@pytest.mark.thorough
def test_deleting_a_restore_ends_it_where_one_data_serves(simulation: Any, step: str) -> None:
    serving(simulation)
    simulation.apply_restore()
    uid = simulation.restore().metadata.uid
    go_until(simulation, lambda world: step in (step_of(world), world.restore().status.step))
    is_late = simulation.cluster().status.restored == uid
    delete(simulation)
    go_on(simulation)
    assert simulation.kube.get(BACK) is None
    assert histories(simulation) == ({uid} if is_late else {""})
    assert_at_peace(simulation)


@pytest.mark.parametrize("step", steps(*HELD_STEPS))
@pytest.mark.thorough
def test_servers_do_not_stay_down_when_a_restore_is_torn_away(simulation: Any, step: str) -> None:
    """Somebody removed the finalizer and the object: `scale` finds the operation of nobody."""
    serving(simulation)
    simulation.apply_restore()
    uid = simulation.restore().metadata.uid
    go_until(simulation, lambda world: step_of(world) == step)
    is_late = simulation.cluster().status.restored == uid
    found = simulation.kube.get(BACK)
    found["metadata"]["finalizers"] = []
    simulation.kube.update(found, manager="kubectl-edit")
    delete(simulation)
    go_on(simulation)
    assert histories(simulation) == ({uid} if is_late else {""})
    assert simulation.cluster().status.operation is None
    assert simulation.condition("Available")[0] == "True"
    assert "RestoreGone" in simulation.events()


@pytest.mark.parametrize("step", steps("Stage", *HELD_STEPS))
def test_a_target_that_is_deleted_midway_ends_the_restore(simulation: Any, step: str) -> None:
    serving(simulation)
    simulation.apply_restore()
    go_until(simulation, lambda world: step in (step_of(world), world.restore().status.step))
    delete(simulation, Ref(CLUSTER, "apps", "zk"))
    for _ in range(20):
        simulation.round()
        simulation.kubernetes()
    status = simulation.restore().status
    assert (status.status, status.step) == ("failed", "Done")
    assert "zk" in (status.message or "")
    assert simulation.restore().metadata.finalizers == ()


@pytest.mark.thorough
def test_servers_that_do_not_come_up_get_their_own_data_back(simulation: Any) -> None:
    serving(simulation)
    simulation.apply_restore()
    go_until(simulation, lambda world: step_of(world) == "Start")
    simulation.broken_pods |= {"zk-0", "zk-1"}
    for _ in range(4):
        simulation.round()
        simulation.kubernetes()
    assert "ImagePullBackOff" in (simulation.restore().status.message or "")
    simulation.clock += LONG
    go_until(simulation, lambda world: step_of(world) == "StartBack")
    simulation.broken_pods.clear()
    go_on(simulation)
    status = simulation.restore().status
    assert status.status == "failed"
    assert "did not serve in time" in (status.message or "")
    assert_own_data(simulation)
    assert "GoingBack" in simulation.events()


@pytest.mark.thorough
def test_servers_that_do_not_stop_go_on_with_their_own_data(simulation: Any) -> None:
    serving(simulation)
    simulation.apply_restore()
    go_until(simulation, lambda world: step_of(world) == "Stop")
    simulation.clock += LONG
    simulation.deliver("restore")
    go_on(simulation)
    assert simulation.restore().status.status == "failed"
    assert_own_data(simulation)


@pytest.mark.thorough
def test_one_server_that_stays_away_does_not_keep_the_others_from_clients(simulation: Any) -> None:
    serving(simulation)
    simulation.apply_restore()
    go_until(simulation, lambda world: step_of(world) == "Start")
    simulation.broken_pods.add("zk-2")
    for _ in range(4):
        simulation.round()
        simulation.kubernetes()
    assert step_of(simulation) == "Start"
    simulation.clock += timedelta(minutes=2)
    go_until(simulation, lambda world: step_of(world) == "Open")
    simulation.broken_pods.clear()
    go_on(simulation)
    assert histories(simulation) == {simulation.restore().metadata.uid}


@pytest.mark.thorough
def test_a_mended_image_reaches_servers_that_could_not_start(simulation: Any) -> None:
    """`roll` waits for the restore, so pods of the broken revision would stay for ever."""
    serving(simulation)
    simulation.apply_restore()
    go_until(simulation, lambda world: step_of(world) == "Start")
    simulation.apply(replicas=3, logLevel="DEBUG")
    simulation.broken_pods |= {"zk-0", "zk-1", "zk-2"}
    simulation.deliver("scale")
    simulation.kubernetes()
    broken = {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}
    simulation.deliver("reconcile-cluster")
    simulation.kubernetes()
    simulation.broken_pods.clear()
    simulation.deliver("scale")
    simulation.kubernetes()
    now = {p["metadata"]["uid"] for p in simulation.kube.list(POD, "apps")
           if p["metadata"]["name"].startswith("zk-")}  # fmt: skip
    assert not now & broken
    go_on(simulation)
    assert_restored(simulation)


@pytest.mark.thorough
def test_scale_and_roll_wait_for_a_restore(simulation: Any) -> None:
    serving(simulation)
    simulation.apply_restore()
    go_until(simulation, lambda world: step_of(world) == "Arm")
    simulation.apply(replicas=5, logLevel="DEBUG")
    for _ in range(2):
        for function in ("reconcile-cluster", "scale", "roll", "observe"):
            simulation.deliver(function)
    assert simulation.condition("Scaled") == ("False", "Restoring")
    found = simulation.kube.get(Ref(STATEFUL_SET, "apps", "zk"))
    assert found["spec"]["replicas"] == 3
    simulation._observe_generation(found)
    simulation.deliver("roll")
    assert simulation.condition("Updated") == ("False", "Restoring")
    go_on(simulation)
    assert_restored(simulation)
    assert len(simulation.cluster().status.members) == 5


def test_a_restore_waits_for_whoever_moves_servers(simulation: Any) -> None:
    serving(simulation)
    simulation.apply(replicas=3, restartedAt="2026-01-01T00:00:00Z")
    simulation.deliver("reconcile-cluster")
    simulation.kubernetes()
    simulation.deliver("roll")
    assert simulation.cluster().status.operation.type == "Roll"
    simulation.apply_restore()
    for _ in range(6):
        simulation.deliver("restore")
        simulation.kubernetes()
    status = simulation.restore().status
    assert status.step == "Wait"
    assert "Roll" in (status.message or "")
    go_on(simulation)
    assert_restored(simulation)


@pytest.mark.thorough
def test_a_restore_waits_for_backups_of_the_cluster(simulation: Any) -> None:
    serving(simulation)
    simulation.jobs.held.add("copy-out")
    simulation.apply_backup()
    for _ in range(5):
        simulation.round()
        simulation.kubernetes()
    assert simulation.kube.list(JOB, "apps")
    simulation.apply_restore()
    for _ in range(8):
        simulation.round()
        simulation.kubernetes()
    status = simulation.restore().status
    assert status.step == "Wait"
    assert "backup" in (status.message or "")
    simulation.jobs.held.clear()
    go_on(simulation)
    assert_restored(simulation)


WAITING = [
    pytest.param({"replicas": 3, "paused": True}, "spec.paused", id="paused"),
    pytest.param({"replicas": 3, "stopped": True}, "spec.stopped", id="stopped"),
]


@pytest.mark.parametrize(("spec", "word"), WAITING)
@pytest.mark.thorough
def test_a_restore_waits_for_a_target_that_rests(
    simulation: Any, spec: dict[str, Any], word: str
) -> None:
    serving(simulation)
    simulation.apply(**spec)
    go_on(simulation)
    simulation.apply_restore()
    go_on(simulation)
    status = simulation.restore().status
    assert (status.status, status.step) == ("pending", "Validate")
    assert word in (status.message or "")
    simulation.apply(replicas=3)
    go_on(simulation)
    assert_restored(simulation)


@pytest.mark.thorough
def test_a_restore_waits_for_its_target_to_exist_and_to_serve(simulation: Any) -> None:
    simulation.apply_restore()
    go_on(simulation)
    assert simulation.restore().status.status == "pending"
    assert "spec.target.name" in (simulation.restore().status.message or "")
    simulation.apply(replicas=3)
    simulation.deliver("scale")
    simulation.deliver("restore")
    assert "yet to be created" in (simulation.restore().status.message or "")
    go_on(simulation)
    assert_restored(simulation)


REFUSED = [
    pytest.param({"storage": {"ephemeral": True}}, {}, "ephemeral storage", id="ephemeral"),
    pytest.param(
        {}, {"target": {"name": "zk", "dataDir": "/elsewhere"}}, "spec.target.dataDir", id="folder"
    ),
]


@pytest.mark.parametrize(("spec", "asked", "word"), REFUSED)
def test_a_target_that_can_take_no_restore_is_refused(
    simulation: Any, spec: dict[str, Any], asked: dict[str, Any], word: str
) -> None:
    serving(simulation, **spec)
    simulation.apply_restore(**asked)
    go_on(simulation)
    status = simulation.restore().status
    assert status.status == "failed"
    assert word in (status.message or "")
    assert simulation.kube.list(JOB, "apps") == []


@pytest.mark.thorough
def test_a_restore_ends_a_lost_majority(simulation: Any) -> None:
    serving(simulation)
    simulation.lose("zk-0", "zk-1")
    simulation.settle()
    assert simulation.cluster().status.incident
    simulation.apply_restore()
    go_on(simulation)
    assert_restored(simulation)
    assert simulation.cluster().status.incident is None


@pytest.mark.thorough
def test_a_volume_that_is_lost_behind_the_closed_port_is_filled_by_the_others(
    simulation: Any,
) -> None:
    serving(simulation)
    simulation.apply_restore()
    go_until(simulation, lambda world: step_of(world) == "Start")
    simulation.lose_disk("zk-1")
    simulation.kubernetes()
    go_on(simulation)
    made = simulation.restore()
    assert made.status.status == "restarted"
    assert histories(simulation) == {made.metadata.uid}


@pytest.mark.thorough
def test_a_member_that_came_while_the_others_were_staged_is_staged_too(simulation: Any) -> None:
    serving(simulation)
    simulation.apply_restore(rolloutRestart=False)
    go_on(simulation)
    simulation.apply(replicas=5)
    go_on(simulation)
    simulation.apply_restore(rolloutRestart=True)
    go_on(simulation)
    assert_restored(simulation)
    assert len(simulation.jobs.volumes.contents) == 5
    assert simulation.kube.list(JOB, "apps") == []


@pytest.mark.thorough
def test_a_restored_ensemble_with_an_old_epoch_goes_back(simulation: Any) -> None:
    serving(simulation)
    simulation.apply_restore()
    go_until(simulation, lambda world: step_of(world) == "Start")
    simulation.deliver("scale")
    simulation.kubernetes()
    (ensemble,) = simulation.ensembles.values()
    for server in ensemble.servers.values():
        server.zxid = 5
    ensemble.zxid = 5
    simulation.deliver("restore")
    assert step_of(simulation) == "StopBack"
    assert "epoch" in (simulation.restore().status.message or "")
    go_on(simulation)
    assert simulation.restore().status.status == "failed"
    assert_own_data(simulation)


@pytest.mark.thorough
def test_an_opening_whose_answer_is_lost_is_found_at_the_port_it_opened(simulation: Any) -> None:
    """The servers have left the port that was asked, so nobody tells there how it went."""
    serving(simulation)
    simulation.apply_restore()
    go_until(simulation, lambda world: step_of(world) == "Open")
    call = _call_of_the_change(simulation.fork())
    simulation.faults.reset()
    simulation.faults.fail_at(call, Unavailable("the connection was lost"), after=True)
    assert simulation.deliver("scale").status == 204
    simulation.faults.reset()
    go_on(simulation)
    assert_restored(simulation)


def _call_of_the_change(simulation: Any) -> int:
    """Return which outside call of `scale` changes the member list."""
    simulation.zookeeper.changes.clear()
    simulation.faults.reset()
    changed: list[bool] = []
    for call in range(1, 100):
        simulation.faults.at(call, lambda: changed.append(bool(simulation.zookeeper.changes)))
    simulation.deliver("scale")
    return changed.index(True) + 1


@pytest.mark.thorough
def test_a_restore_at_rest_costs_no_write(simulation: Any) -> None:
    serving(simulation)
    simulation.apply_restore()
    go_on(simulation)
    before = len(simulation.kube.writes)
    for _ in range(3):
        simulation.round()
    assert len(simulation.kube.writes) == before
    assert BACK in simulation.resync("all")


def test_a_spec_that_only_an_edit_can_mend_is_told_and_left_alone(simulation: Any) -> None:
    simulation.apply_restore("wrong", source={})
    assert simulation.deliver("restore", Ref(RESTORE, "apps", "wrong")).status == 204
    assert "InvalidSpec" in simulation.events()
    assert simulation.resync("unsettled") == []
    simulation.apply_restore("back")
    simulation.deliver("restore")
    assert simulation.resync("unsettled") == [BACK]


def test_an_event_about_a_restore_that_failed_for_good_is_told_on_it(simulation: Any) -> None:
    simulation.apply_restore()
    assert simulation.deliver("dead-letter", BACK).status == 204
    (told,) = [e for e in simulation.kube.list(EVENT, "apps") if e["reason"] == "EventFailed"]
    assert told["involvedObject"]["kind"] == RESTORE.name
