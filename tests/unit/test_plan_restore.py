"""What a restore decides at one look: each step from what is seen alone, and never a wrong one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import InvalidSpec, Refused
from functions.api.kinds import RESTORE
from functions.api.resource import Unread
from functions.api.restore import ZooKeeperRestore
from functions.manifests.installation import Installation
from functions.manifests.restore_job import Place, Program, restore_job_name
from functions.planning.ensemble import DiskReport, SeenServers, ServerStats
from functions.planning.jobs import SeenJob, seen_jobs
from functions.planning.operation import Step
from functions.planning.progress import Progress
from functions.planning.restores import hold
from functions.planning.restores.decision import (
    RESTORED,
    Limits,
    carry_out,
    is_over,
    is_settled,
)
from functions.planning.restores.decision import STAGED as STAGED_TYPE
from functions.planning.restores.machine import Surroundings, decide, plan_restore
from functions.planning.restores.queue import ahead_of
from functions.planning.restores.refusal import plan_refused_restore
from functions.planning.restores.seen import Seen, backups_of, has_ended, has_pods
from functions.planning.restoring import RestoreStep
from functions.planning.status import seen_condition
from functions.planning.steps import Announce, ApplyObject, CreateObject, DeleteObject, WriteStatus
from tests.unit.planned import MEMBERS, NOW, changed, claims, cluster, pod, record, stateful_set

UID = "uid-of-back"
AROUND = Surroundings(Installation("functions", ""), Limits())
STARTED = "2026-01-01T00:00:00Z"
LATE = NOW + timedelta(minutes=11)
FINALIZER = "zookeeper.example.com/restore"


def restore(status: dict[str, Any] | None = None, **more: Any) -> ZooKeeperRestore:
    metadata: dict[str, Any] = {
        "name": "back", "namespace": "apps", "uid": UID, "generation": 1, "resourceVersion": "3",
        "finalizers": [FINALIZER], "creationTimestamp": STARTED,
        **{k: more.pop(k) for k in ("deletionTimestamp", "finalizers", "uid", "name") if k in more},
    }  # fmt: skip
    spec = {
        "rolloutRestart": True, "source": {"s3": {"bucket": "b", "key": "a/b/once/c"}},
        "target": {"name": "zk"}, **more,
    }  # fmt: skip
    known: dict[str, Any] = {"cluster": "zk", "epoch": 4, **(status or {})}
    return ZooKeeperRestore.parse({"metadata": metadata, "spec": spec, "status": known})


def condition(reason: str = "", status: str = "False", staged: str = "Staged") -> dict[str, Any]:
    """Return status with the conditions Restored, where it has a reason, and Staged."""
    told = {"type": RESTORED, "status": status, "reason": reason, "message": "why."}
    is_staged = "True" if staged == "Staged" else "False"
    there = {"type": STAGED_TYPE, "status": is_staged, "reason": staged, "message": "there."}
    found = [*([told] if reason else []), *([there] if staged else [])]
    return {"conditions": [it | {"lastTransitionTime": STARTED} for it in found]}


def held(step: str = "", uid: str = UID, **more: Any) -> ZooKeeperCluster:
    """Return the cluster while the restore is at this step; an empty step: it holds nothing."""
    known: dict[str, Any] = {"bootstrap": record("completed", volumes=3), "members": MEMBERS}
    known |= {k: more.pop(k) for k in ("restored",) if k in more}
    if step:
        operation = {"type": "Restore", "step": step, "target": "back", "ownerUid": uid}
        known["operation"] = operation | {"startedAt": STARTED}
    return cluster(known, **more)


def deleted(target: ZooKeeperCluster) -> ZooKeeperCluster:
    return changed(target, deletion_timestamp=STARTED)


def servers(*modes: str, epoch: int = 5) -> SeenServers:
    told = {
        n + 1: ServerStats(mode, epoch << 32, "3.9.5", 1) for n, mode in enumerate(modes) if mode
    }
    return SeenServers(told, {n: f"10.0.0.{n}" for n in told}, None)


SERVING = servers("leader", "follower", "follower", epoch=4)
COME_UP = servers("leader", "follower", "follower")
NONE = servers()
PODS = tuple(pod(f"zk-{n}", node=f"node-{n}") for n in range(3))


def job(name: str, *pods: dict[str, Any], end: str = "") -> SeenJob:
    """Return a Job of the restore with its pods; `end` is the Job controller's last word."""
    uid = f"uid-of-{name}"
    conditions = [{"type": end, "status": "True"}] if end else []
    owner = {"uid": UID, "kind": "ZooKeeperRestore", "name": "back", "controller": True}
    found = {
        **backup_job(name, "zk", *conditions),
        "metadata": {"name": name, "uid": uid, "ownerReferences": [owner]},
    }
    of_job = {"uid": uid, "kind": "Job", "name": name, "controller": True}
    own = [
        {"metadata": {"name": "p", "uid": "u", "ownerReferences": [of_job]}, "status": told}
        for told in pods
    ]
    (seen,) = seen_jobs([found], own)
    return seen


def backup_job(name: str, cluster_name: str, *conditions: dict[str, str]) -> dict[str, Any]:
    container = {"name": "copy-out", "env": [{"name": "CLUSTER", "value": cluster_name}]}
    return {
        "metadata": {"name": name, "uid": f"uid-of-{name}"},
        "spec": {"template": {"spec": {"containers": [container]}}},
        "status": {"conditions": list(conditions)},
    }


def pod_status(phase: str, code: int | None = None, **words: Any) -> dict[str, Any]:
    ended = {"terminated": {"exitCode": code, "message": json.dumps(words)}}
    return {
        "phase": phase,
        "containerStatuses": [{"name": "x", "state": ended}] if code is not None else [],
    }


UNPLACED = {
    "phase": "Pending",
    "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}
    ],
}


def jobs(program: Program, *states: str, **result: Any) -> dict[str, SeenJob]:
    """Return the Jobs of one program on the members' volumes; an empty state: none yet."""
    told = {
        "complete": ("Complete", pod_status("Succeeded", 0, **result)),
        "failed": ("Failed", pod_status("Failed", 2, error="log.7 is damaged.")),
        "active": ("", UNPLACED),
    }
    found = {}
    for n, state in enumerate(states):
        place = Place(held(), n + 1, (f"uid-of-data-zk-{n}",), is_beside=True)
        name = restore_job_name(restore(), program, place)
        if state:
            end, words = told[state]
            found[name] = job(name, words, end=end)
    return found


DONE = ("complete",) * 3
STAGED = jobs(Program.STAGE, *DONE)
ARMED = {**STAGED, **jobs(Program.ARM, *DONE)}


def look(seen_cluster: ZooKeeperCluster | None = None, **more: Any) -> Seen:
    given: dict[str, Any] = {
        "cluster": seen_cluster if seen_cluster is not None else held(),
        "stateful_set": stateful_set(3),
        "pods": PODS,
        "claims": claims(),
        "serving": SERVING,
    }
    return Seen(**{**given, **more})


STOPPED = {"stateful_set": stateful_set(0), "pods": (), "serving": NONE}
STARTED_CLOSED = {"serving": NONE, "closed": COME_UP}

# (id, restore, seen, the step status says, its word, the operation it moves to)
CASES: list[tuple[str, ZooKeeperRestore, Seen, str, str, str]] = [
    ("no-cluster", restore({"cluster": None}), Seen(missing="none"), "Validate", "pending", ""),
    ("cluster-gone", restore(), Seen(missing=""), "Done", "failed", ""),
    ("paused", restore(), look(held(paused=True)), "Validate", "pending", ""),
    ("stopped", restore(), look(held(stopped=True)), "Validate", "pending", ""),
    ("no-record", restore(), look(cluster()), "Validate", "pending", ""),
    ("no-set", restore(), look(stateful_set=None), "Validate", "pending", ""),
    (
        "foreign-set", restore(), look(stateful_set=stateful_set(3, controller_uid="x")),
        "Validate", "pending", "",
    ),
    ("no-claim", restore(), look(claims=claims(2)), "Validate", "pending", ""),
    ("another-first", restore(), look(ahead="first"), "Wait", "pending", ""),
    (
        "ephemeral", restore(), look(held(storage={"ephemeral": True})),
        "Validate", "running", "",
    ),
    ("begin", restore(), look(), "Stage", "running", ""),
    (
        "staging", restore(), look(jobs=jobs(Program.STAGE, "complete", "active", "active")),
        "Stage", "running", "",
    ),
    (
        "damaged", restore(), look(jobs=jobs(Program.STAGE, "complete", "failed", "active")),
        "Stage", "running", "",
    ),
    ("staged", restore(), look(jobs=STAGED), "Arm", "running", "Arm"),
    ("staged-only", restore(rolloutRestart=False), look(jobs=STAGED), "Stage", "running", ""),
    (
        "staged-only-without-its-jobs", restore(condition(), rolloutRestart=False), look(),
        "Done", "completed", "",
    ),
    (
        "staged-only-with-its-jobs", restore(condition(), rolloutRestart=False),
        look(jobs=STAGED), "Stage", "running", "",
    ),
    ("backup-runs", restore(), look(jobs=STAGED, backups=("b",)), "Wait", "running", ""),
    (
        "other-restore-holds", restore(), look(held("Start", "other"), jobs=STAGED),
        "Wait", "running", "",
    ),
    ("armed", restore(), look(held("Arm"), jobs=ARMED), "Stop", "running", "Stop"),
    ("arming", restore(), look(held("Arm"), jobs=STAGED), "Arm", "running", ""),
    ("another-volume", restore(), look(held("Arm")), "Arm", "running", "none"),
    (
        "a-volume-went", restore(), look(held("Arm"), jobs=ARMED, claims=claims(2)),
        "Arm", "running", "none",
    ),
    (
        "target-deleted", restore(), look(deleted(held())), "Validate", "running", "",
    ),
    (
        "target-deleted-while-armed", restore(), look(deleted(held("Arm")), jobs=ARMED),
        "Arm", "running", "",
    ),
    ("stopping", restore(), look(held("Stop")), "Stop", "running", ""),
    ("all-stopped", restore(), look(held("Stop"), **STOPPED), "Start", "running", "Start"),
    (
        "about-to-start-again", restore(),
        look(held("Stop"), **{**STOPPED, "stateful_set": stateful_set(0, is_observed=False)}),
        "Stop", "running", "",
    ),
    ("paused-midway", restore(), look(held("Stop", paused=True)), "Stop", "running", ""),
    ("starting", restore(), look(held("Start"), serving=NONE), "Start", "running", ""),
    (
        "one-missing", restore(),
        look(held("Start"), serving=NONE, closed=servers("leader", "follower", "")),
        "Verify", "running", "",
    ),
    ("come-up", restore(), look(held("Start"), **STARTED_CLOSED), "Verify", "running", ""),
    (
        "looked-at", restore(), look(held("Start", restored=UID), **STARTED_CLOSED),
        "Open", "running", "Open",
    ),
    (
        "opening", restore(), look(held("Open", restored=UID), **STARTED_CLOSED),
        "Open", "running", "",
    ),
    (
        "opening-paused", restore(),
        look(held("Open", restored=UID, paused=True), **STARTED_CLOSED),
        "Open", "running", "",
    ),
    ("open", restore(), look(held("Open", restored=UID)), "CleanUp", "running", "none"),
    (
        "deleted-midway", restore(deletionTimestamp=STARTED), look(held("Start"), serving=NONE),
        "Start", "running", "",
    ),
    (
        "cluster-deleted-midway", restore(),
        look(deleted(held("Stop"))),
        "Stop", "running", "",
    ),
    (
        "back-from-stop", restore(condition("GoingBack")), look(held("Stop")),
        "StartBack", "running", "StartBack",
    ),
    (
        "back-from-start", restore(condition("GoingBack")), look(held("Start")),
        "StopBack", "running", "StopBack",
    ),
    (
        "back-stopping", restore(condition("GoingBack")), look(held("StopBack")),
        "StopBack", "running", "",
    ),
    (
        "back-stopped", restore(condition("GoingBack")), look(held("StopBack"), **STOPPED),
        "StopBack", "running", "StartBack",
    ),
    (
        "back-starting", restore(condition("GoingBack")), look(held("StartBack"), serving=NONE),
        "StartBack", "running", "",
    ),
    (
        "back-paused", restore(condition("GoingBack")), look(held("StopBack", paused=True)),
        "StopBack", "running", "",
    ),
    (
        "back-there", restore(condition("GoingBack")), look(held("StartBack")),
        "StartBack", "running", "",
    ),
    (
        "back-about-to-stop", restore(condition("GoingBack")),
        look(held("StartBack"), stateful_set=stateful_set(0)), "StartBack", "running", "",
    ),
    (
        "failed-lets-go", restore({"step": "StartBack", **condition("Failed")}),
        look(held("StartBack")), "StartBack", "running", "none",
    ),
    ("operation-lost", restore(condition("GoingBack")), look(), "Validate", "running", ""),
    (
        "failed-cleans", restore(condition("Failed")), look(jobs=STAGED), "CleanUp", "running", "",
    ),
    (
        "failed-before-anything", restore(condition("Failed", staged="")), look(),
        "Done", "failed", "",
    ),
    (
        "failed-clean", restore(condition("Failed", staged="CleanedUp")), look(),
        "Done", "failed", "",
    ),
    (
        "restored-cleans", restore(condition()), look(held(restored=UID), jobs=ARMED),
        "CleanUp", "running", "",
    ),
    (
        "cleaned", restore(condition()),
        look(held(restored=UID), jobs={**ARMED, **jobs(Program.CLEAN, *DONE)}),
        "CleanUp", "running", "",
    ),
    (
        "cleaned-with-jobs", restore(condition(staged="CleanedUp")),
        look(held(restored=UID), jobs=ARMED), "CleanUp", "running", "",
    ),
    (
        "cleaned-without-jobs", restore(condition(staged="CleanedUp")),
        look(held(restored=UID)), "Done", "restarted", "",
    ),
    (
        "said-to-be-restored", restore(condition("Restored", "True")), look(jobs=ARMED),
        "CleanUp", "running", "",
    ),
    (
        "deleted-before", restore(deletionTimestamp=STARTED), look(jobs=STAGED),
        "Validate", "running", "",
    ),
    (
        "deleted-while-armed", restore(deletionTimestamp=STARTED), look(held("Arm"), jobs=ARMED),
        "Arm", "running", "",
    ),
    (
        "deleted-without-a-cluster", restore({"cluster": None}, deletionTimestamp=STARTED),
        Seen(missing="none"), "Done", "failed", "",
    ),
    (
        "over", restore({"status": "restarted", "step": "Done", "message": "m"}), Seen(),
        "Done", "restarted", "",
    ),
    (
        "kept", restore({"status": "completed", "step": "Done"}, rolloutRestart=False), Seen(),
        "Done", "completed", "",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("made", "seen", "step", "word", "moves"), [pytest.param(*c[1:], id=c[0]) for c in CASES]
)
def test_one_look(made: ZooKeeperRestore, seen: Seen, step: str, word: str, moves: str) -> None:
    decided = decide(made, seen, AROUND, NOW)
    assert (decided.step, decided.status) == (step, word)
    assert moved(decided.act) == moves


def moved(plan: Sequence[object]) -> str:
    """Return the step that a plan moves the operation to: `none` ends it, nothing leaves it."""
    for written in plan:
        if isinstance(written, WriteStatus) and written.manager == "zookeeper-operation":
            return str(written.manifest["status"].get("operation", {"step": "none"})["step"])
    return ""


def settles(plan: Sequence[object]) -> bool:
    """Whether a plan writes whose data the ensemble has: the point of no return."""
    return any(
        isinstance(written, WriteStatus) and "restored" in written.manifest["status"]
        for written in plan
    )


TOO_LATE = [
    pytest.param(look(held("Stop")), "did not stop in time", id="stop"),
    pytest.param(look(held("Start"), serving=NONE), "did not serve in time", id="start"),
    pytest.param(
        look(held("Start"), serving=NONE, closed=servers("", "leader", "")),
        "did not serve in time",
        id="without-a-quorum",
    ),
]


@pytest.mark.parametrize(("seen", "why"), TOO_LATE)
def test_what_takes_too_long_goes_back(seen: Seen, why: str) -> None:
    decided = decide(restore(), seen, AROUND, LATE)
    assert decided.restored is not None
    assert decided.restored.reason == "GoingBack"
    assert why in decided.restored.message
    assert decided.act == ()


def test_volumes_that_are_not_armed_in_time_fail_the_restore() -> None:
    decided = decide(restore({"step": "Arm", "since": STARTED}), look(held("Arm"), jobs=STAGED),
                     AROUND, LATE)  # fmt: skip
    assert decided.restored is not None
    assert decided.restored.reason == "Failed"


def test_a_volume_that_cannot_be_armed_fails_the_restore() -> None:
    tried = {**STAGED, **jobs(Program.ARM, "complete", "failed", "complete")}
    decided = decide(restore(), look(held("Arm"), jobs=tried), AROUND, NOW)
    assert decided.restored is not None
    assert decided.restored.reason == "Failed"
    assert "log.7 is damaged." in decided.message


def test_going_back_is_told_as_an_event_with_its_reason() -> None:
    plan = plan_restore(restore(), look(held("Stop")), AROUND, LATE)
    (event,) = (step for step in plan if isinstance(step, Announce))
    assert (event.type, event.reason) == ("Warning", "GoingBack")
    assert "did not stop in time" in event.message


def test_an_opening_that_takes_too_long_says_so_and_stays() -> None:
    seen = look(held("Open", restored=UID), **STARTED_CLOSED)
    decided = decide(restore(), seen, AROUND, LATE)
    assert "longer than it should" in decided.message
    assert decided.act == ()


def test_a_quorum_is_enough_for_clients_after_a_minute() -> None:
    seen = look(held("Start"), serving=NONE, closed=servers("leader", "follower", ""))
    assert not settles(decide(restore(), seen, AROUND, NOW).act)
    assert settles(decide(restore(), seen, AROUND, NOW + timedelta(minutes=2)).act)


FAULTS = [
    pytest.param(servers("leader", "follower", "follower", epoch=4), {}, "epoch", id="old-epoch"),
    pytest.param(COME_UP, {2: ""}, "server 2", id="own-data"),
]


@pytest.mark.parametrize(("closed", "disks", "why"), FAULTS)
def test_an_ensemble_that_is_not_the_backups_goes_back(
    closed: SeenServers, disks: dict[int, str], why: str
) -> None:
    reports = {
        number: DiskReport(False, 1, 1, frozenset(), frozenset(), (), history)
        for number, history in disks.items()
    }
    seen = look(held("Start"), serving=NONE, closed=closed, disks=reports)
    decided = decide(restore({"nodes": 9}), seen, AROUND, NOW)
    assert decided.restored is not None
    assert decided.restored.reason == "GoingBack"
    assert why in decided.restored.message


def test_what_the_programs_found_is_in_status() -> None:
    found = {"zxid": "0x7", "nodes": 9, "warnings": ["no manifest"]}
    seen = look(jobs=jobs(Program.STAGE, *DONE, **found))
    decided = decide(restore(), seen, AROUND, NOW)
    assert decided.facts["zxid"] == "0x7"
    assert decided.facts["nodes"] == 9
    assert decided.facts["warnings"] == ["no manifest"]


def test_what_is_known_already_outlives_the_pods_that_said_it() -> None:
    known = {"zxid": "0x7", "nodes": 9, "warnings": ["no manifest"]}
    decided = decide(restore(known), look(jobs=STAGED), AROUND, NOW)
    assert (decided.facts["zxid"], decided.facts["nodes"]) == ("0x7", 9)
    assert decided.facts["warnings"] == ["no manifest"]


def test_the_finalizer_is_there_before_the_first_job() -> None:
    first = decide(restore(finalizers=[], image="go2sheep/zk-helper:1"), look(), AROUND, NOW).act
    assert [type(step).__name__ for step in first] == ["Announce", "ApplyObject", "LookAgain"]
    then = decide(restore(), look(), AROUND, NOW).act
    assert sum(isinstance(step, CreateObject) for step in then) == 3


def test_a_job_that_may_still_write_is_ended_before_what_it_wrote_is_removed() -> None:
    running = jobs(Program.STAGE, "active", "complete", "complete")
    act = decide(restore(condition("Failed")), look(jobs=running), AROUND, NOW).act
    assert [type(step) for step in act] == [DeleteObject]
    (one,) = [job for job in running.values() if job.state == "active"]
    going = {**running, one.name: replace(one, is_deleting=True)}
    assert decide(restore(condition("Failed")), look(jobs=going), AROUND, NOW).act == ()
    loose = look(jobs=STAGED, loose_pods=("stage-x",))
    assert decide(restore(condition("Failed")), loose, AROUND, NOW).act == ()
    alone = decide(restore(condition("Failed")), look(jobs=STAGED), AROUND, NOW).act
    assert sum(isinstance(step, CreateObject) for step in alone) == 3


def test_a_clean_up_that_takes_too_long_ends_with_a_warning() -> None:
    made = restore({"step": "CleanUp", "since": STARTED, **condition()})
    decided = decide(made, look(held(restored=UID), jobs=ARMED), AROUND, LATE)
    assert "zk-0, zk-1, zk-2" in decided.facts["warnings"][0]
    assert decided.staged is not None
    assert decided.staged.reason == "CleanedUp"
    assert sum(isinstance(step, DeleteObject) for step in decided.act) == len(ARMED)


def test_progress_is_written_now_and_then() -> None:
    seen = look(jobs=jobs(Program.STAGE, "active"), progress=Progress(5, 100, "download"))
    decided = decide(restore(), seen, AROUND, NOW)
    assert decided.facts["progress"] == "5 of 100 bytes (download)"
    told = restore({"progress": "5 of 100 bytes (download)"})
    more = replace(seen, progress=Progress(6, 100, "download"))
    assert decide(told, more, AROUND, NOW).facts["progress"] == "5 of 100 bytes (download)"


# Laws.

STEPS = [*RestoreStep, ""]
VERDICTS = ["", "GoingBack", "Failed"]
MODES = st.lists(st.sampled_from(["", "leader", "follower", "observer"]), min_size=3, max_size=3)


@st.composite
def worlds(draw: Any) -> tuple[ZooKeeperRestore, Seen]:
    """Any world at all, also such as should never be."""
    step, reason = draw(st.sampled_from(STEPS)), draw(st.sampled_from(VERDICTS))
    more: dict[str, Any] = {"deletionTimestamp": STARTED} if draw(st.booleans()) else {}
    staged = draw(st.sampled_from(["", "Staging", "Staged", "CleanedUp"]))
    made = restore(condition(reason, staged=staged), **more)
    owner = draw(st.sampled_from([UID, "other"]))
    restored = {"restored": UID} if draw(st.booleans()) else {}
    target = held(step, owner, paused=draw(st.booleans()), **restored)
    return made, look(
        target,
        stateful_set=draw(
            st.sampled_from(
                [None, stateful_set(0), stateful_set(0, is_observed=False), stateful_set(3)]
            )
        ),
        pods=PODS[: draw(st.integers(0, 3))],
        serving=servers(*draw(MODES), epoch=draw(st.integers(1, 6))),
        closed=servers(*draw(MODES), epoch=draw(st.integers(1, 6))),
        jobs=draw(st.sampled_from([{}, STAGED, ARMED])),
    )


@given(worlds(), st.sampled_from([NOW, LATE]))
def test_no_step_is_taken_that_could_mix_two_histories(
    world: tuple[ZooKeeperRestore, Seen], now: Any
) -> None:
    made, seen = world
    assert seen.cluster is not None
    own = hold.own_step(seen.cluster, UID)
    is_settled_on = seen.cluster.status.restored == UID
    act = decide(made, seen, AROUND, now).act
    following = moved(act)
    if (
        following in ("Start", "StartBack")
        and own in ("Stop", "StopBack")
        and not (own == "Stop" and following == "StartBack")
    ):
        assert seen.has_stopped, "data changes its place only while no server runs"
    if own == "Start" and following:
        assert following in ("StopBack", "Open"), "from new data only by way of a stop"
    if following == "Open":
        assert is_settled_on, "clients are let in only after the point of no return"
    if following in ("StopBack", "StartBack"):
        assert not is_settled_on, "there is no way back"
    if settles(act):
        # Open without the word that there is no way back cannot be; it is given then, and no other.
        assert own in ("Start", "Open")
        assert hold.has_quorum(seen.cluster, seen.closed)
    if following == "none":
        is_untouched = own == "Arm"
        is_served = hold.serves_again(seen.cluster, seen.stateful_set, seen.serving)
        has_failed = own == "StartBack" and any(
            c.reason == "Failed" for c in made.status.conditions
        )
        assert is_untouched or is_served or has_failed, "servers are let go only when some serve"
    if own is None and seen.cluster.status.operation is not None:
        assert not following, "what somebody else holds is left alone"


@given(worlds(), st.sampled_from([NOW, LATE]))
def test_what_is_said_once_is_not_said_again(
    world: tuple[ZooKeeperRestore, Seen], now: Any
) -> None:
    made, seen = world
    first = plan_restore(made, seen, AROUND, now)
    mine = [s for s in first if isinstance(s, WriteStatus) and s.manifest["kind"] == RESTORE.name]
    if not mine:
        return
    status = mine[0].manifest["status"]
    told = made.model_copy(update={"status": type(made.status).model_validate(status)})
    decided = decide(made, seen, AROUND, now)
    assert carry_out(told, decided, now) == decided.act


@given(st.sampled_from(list(RestoreStep)))
def test_the_way_back_ends_from_every_step(step: RestoreStep) -> None:
    seen: list[RestoreStep] = [step]
    while following := hold.step_back(seen[-1], is_empty=True):
        assert following not in seen
        seen.append(following)
    assert seen[-1] is RestoreStep.START_BACK
    assert hold.step_back(RestoreStep.STOP_BACK, is_empty=False) is None


# Small parts.


def test_the_restore_that_was_made_first_goes_first() -> None:
    mine = restore(uid="b")
    older = restore(uid="a", name="older")
    over = restore({"status": "failed", "step": "Done"}, uid="a", name="over")
    elsewhere = restore({"cluster": "other"}, uid="a", name="elsewhere")
    assert ahead_of(mine, "zk", [mine, over, elsewhere, older]) == "older"
    assert ahead_of(older, "zk", [mine, over, elsewhere, older]) == ""


def test_a_restore_is_settled_once_nothing_is_left_to_do() -> None:
    done = {"status": "restarted", "step": "Done", "observedGeneration": 1}
    assert is_settled(restore(done, finalizers=[]))
    assert not is_settled(restore(done))
    assert not is_settled(restore({**done, "observedGeneration": 0}, finalizers=[]))
    assert not is_settled(restore(done, finalizers=[], deletionTimestamp=STARTED))
    assert is_settled(restore({**done, "status": "completed"}, rolloutRestart=False))
    assert not is_over(restore({**done, "status": "completed"}))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(InvalidSpec("no"), "InvalidSpec", id="spec"),
        pytest.param(Refused("no"), "Refused", id="refused"),
    ],
)
def test_what_is_refused_is_told(error: Any, reason: str) -> None:
    told = Unread.of(RESTORE, {"metadata": {"name": "back"}})
    (said,) = plan_refused_restore(told, error, NOW)
    assert isinstance(said, Announce)
    assert (said.type, said.reason, said.message) == ("Warning", reason, "no")


def test_backups_are_those_of_the_cluster_that_have_not_ended() -> None:
    ended = {"type": "Complete", "status": "True"}
    found = [
        backup_job("mine", "zk"),
        backup_job("over", "zk", ended),
        backup_job("other", "another"),
    ]
    assert backups_of(held(), found) == ("mine",)


def test_a_pod_that_has_ended_writes_no_more() -> None:
    assert has_ended({"status": {"phase": "Failed"}})
    assert not has_ended({"status": {"phase": "Running"}})
    assert not has_ended({})
    assert has_pods(job("a", pod_status("Running")))
    assert not has_pods(job("a", pod_status("Failed", 1)))


def test_an_operation_that_no_program_knows_is_left_alone() -> None:
    assert hold.step_of(held("Dance")) is None
    assert hold.own_step(held("Start", "other"), UID) is None
    assert hold.step_of(held("Start", "other")) is RestoreStep.START


def test_the_highest_epoch_is_that_of_servers_and_of_disks() -> None:
    report = DiskReport(False, 1, 7, frozenset(), frozenset())
    assert look(disks={1: report}).epoch == 7
    assert look().epoch == 4
    assert Seen().epoch == 0


def test_finalizers_and_status_go_to_exactly_the_object_that_was_read() -> None:
    (first, *_) = decide(restore(finalizers=[]), look(), AROUND, NOW).act
    assert isinstance(first, ApplyObject)
    assert first.manifest["metadata"]["uid"] == UID
    assert first.manifest["metadata"]["resourceVersion"] == "3"
    assert seen_condition(restore(), RESTORED) is None
    assert Step("Restore", "Arm", "back", owner_uid=UID).owner_uid == UID
