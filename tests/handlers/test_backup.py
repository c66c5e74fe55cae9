"""The life of a ZooKeeperBackup in a world in memory: once, by a schedule, kept and removed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from functions.api.errors import Refused
from functions.api.kinds import BACKUP, CLUSTER, CRON_JOB, EVENT, JOB, POD, RESTORE, Kind, Ref
from functions.planning.progress import Progress
from tests.handlers.conftest import new_simulation
from tests.handlers.job_controller import Ending, env_of

NIGHTLY = Ref(BACKUP, "apps", "nightly")


@pytest.fixture(scope="module")
def settled() -> Any:
    simulation = new_simulation()
    simulation.apply(replicas=3)
    simulation.settle()
    return simulation


@pytest.fixture
def running(settled: Any) -> Any:
    return settled.fork()


def scheduled(simulation: Any, **spec: Any) -> None:
    simulation.apply_backup(mode="schedule", schedule="0 * * * *", **spec)
    simulation.settle()


def fired(simulation: Any, times: int = 1) -> None:
    for _ in range(times):
        assert simulation.fire()
        simulation.settle()


def status(simulation: Any) -> Any:
    return simulation.backup().status


def condition(simulation: Any, kind: str) -> tuple[str, str]:
    found = {c.type: (c.status, c.reason) for c in status(simulation).conditions}
    return found.get(kind, ("", ""))


def jobs(simulation: Any) -> list[str]:
    return [job["metadata"]["name"] for job in simulation.kube.list(JOB, "apps")]


def writes(simulation: Any) -> int:
    before = len(simulation.kube.writes)
    simulation.round()
    return len(simulation.kube.writes) - before


def job_env(simulation: Any, name: str = "backup-nightly") -> dict[str, Any]:
    return env_of(simulation.jobs.known[name]["spec"]["template"])


def cron_env(simulation: Any) -> dict[str, Any]:
    found = simulation.kube.get(Ref(CRON_JOB, "apps", "backup-nightly"))
    return env_of(found["spec"]["jobTemplate"]["spec"]["template"])


def cron_suspended(simulation: Any) -> bool:
    found = simulation.kube.get(Ref(CRON_JOB, "apps", "backup-nightly"))
    return bool(found["spec"]["suspend"])


def hold_cluster(simulation: Any, kind: str | None) -> None:
    """Write an operation into the cluster's status, as the restore function does."""
    manifest = simulation.kube.get(Ref(CLUSTER, "apps", "zk"))
    operation = {} if kind is None else {"operation": {"type": kind}}
    simulation.kube.apply(
        {
            "apiVersion": CLUSTER.api_version, "kind": CLUSTER.name,
            "metadata": {"name": "zk", "namespace": "apps", "uid": manifest["metadata"]["uid"]},
            "status": operation,
        },
        manager="zookeeper-operation", subresource="status",
    )  # fmt: skip


# Once.


def test_a_backup_is_made_once_and_its_key_is_the_documented_one(running: Any) -> None:
    running.apply_backup()
    running.settle()
    (record,) = status(running).record
    assert record.key in running.jobs.store
    assert record.key.startswith("apps/nightly/once/backup-nightly-")
    assert status(running).status == "completed"
    assert record.start_time is not None
    assert record.finish_time == status(running).last_success
    assert record.server == status(running).server != running.cluster().status.leader
    assert (record.zxid, record.size) == ("0x100000007", 1000)
    assert record.verified is True
    assert condition(running, "Completed") == ("True", "BackupComplete")
    assert condition(running, "Scheduled") == ("True", "AsWanted")
    assert "BackupStarted" in running.events()
    assert "BackupCompleted" in running.events()


def test_a_backup_that_is_over_costs_nothing(running: Any) -> None:
    running.apply_backup()
    running.settle()
    assert writes(running) == 0
    assert NIGHTLY not in running.resync("unsettled")
    assert NIGHTLY in running.resync("all")


def test_its_steps_are_seen_in_status(running: Any) -> None:
    running.jobs.held.add("copy-out")
    running.apply_backup()
    seen = []
    for _ in range(4):
        running.round()
        seen.append(status(running).status)
        running.kubernetes()
    assert seen == ["pending", "pending", "running", "running"]
    assert NIGHTLY in running.resync("unsettled")


def test_a_follower_is_copied_from_beside_its_pod(running: Any) -> None:
    running.apply_backup()
    running.settle()
    env = job_env(running)
    leader = running.cluster().status.leader
    assert env["SERVER"] != leader
    assert env["SERVER_HOST"] == f"{env['SERVER']}.zk.apps.svc.cluster.local"
    pod = running.jobs.known["backup-nightly"]["spec"]["template"]["spec"]
    (term,) = pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["labelSelector"]["matchLabels"] == {
        "statefulset.kubernetes.io/pod-name": env["SERVER"]
    }


def test_a_completed_backup_stays_so_when_its_pod_and_its_job_are_gone(running: Any) -> None:
    """Guards against C2 and C27: no finishTime, and pending again without its pod."""
    running.apply_backup()
    running.settle()
    assert jobs(running) == [], "its pod would keep the claim of its volume from being deleted"
    record = status(running).record
    running.deliver("backup", NIGHTLY)
    running.settle()
    assert status(running).status == "completed"
    assert status(running).record == record
    assert jobs(running) == []


def test_a_result_that_nobody_read_is_not_made_up(running: Any) -> None:
    running.apply_backup()
    running.round()
    for _ in range(4):
        running.kubernetes()
    for pod in running.kube.list(POD, "apps", {"operator": "zookeeper-backup"}):
        running.kube.delete(Ref(POD, "apps", pod["metadata"]["name"]), uid=pod["metadata"]["uid"])
    running.settle()
    assert status(running).status == "completed"
    assert status(running).record == ()
    assert "list the bucket" in status(running).message


def test_a_try_that_fails_is_repeated_and_makes_no_entry(running: Any) -> None:
    running.jobs.endings["copy-out"] = Ending("The connection was cut.", code=1, times=2)
    running.apply_backup()
    running.settle()
    assert status(running).status == "completed"
    assert len(status(running).record) == 1
    assert running.jobs.made == 3


def test_a_failed_backup_says_why_and_an_edit_tries_again(running: Any) -> None:
    running.jobs.endings["copy-out"] = Ending("The bucket b does not exist: create it.", code=2)
    running.apply_backup()
    running.settle()
    assert status(running).status == "failed"
    assert "The bucket b does not exist: create it." in status(running).message
    assert condition(running, "Completed") == ("False", "Failed")
    assert status(running).failures == 1
    assert running.events().count("BackupFailed") == 1
    assert status(running).record == ()
    assert writes(running) == 0
    running.apply_backup(timeout="1h")
    running.settle()
    assert status(running).status == "completed"
    assert status(running).failures is None
    assert jobs(running) == ["backup-nightly"], "what failed can still be looked at"
    assert writes(running) == 0


def test_a_failed_backup_stays_so_without_its_job(running: Any) -> None:
    running.jobs.endings["copy-out"] = Ending("No.", code=2, times=9)
    running.apply_backup()
    running.settle()
    job = running.kube.get(Ref(JOB, "apps", "backup-nightly"))
    running.kube.delete(Ref(JOB, "apps", "backup-nightly"), uid=job["metadata"]["uid"])
    running.settle()
    assert status(running).status == "failed"
    assert condition(running, "Completed") == ("False", "Failed")
    assert jobs(running) == []


def test_a_pod_that_finds_no_node_is_said(running: Any) -> None:
    running.jobs.unplaced.add("copy-out")
    running.apply_backup()
    running.settle()
    assert status(running).status == "pending"
    assert "0/3 nodes are available" in status(running).message


def test_a_job_of_somebody_else_is_left_alone(running: Any) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "o", "controller": True}
    foreign = {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "backup-nightly", "namespace": "apps", "ownerReferences": [owner]},
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": {}}, "spec": {
            "containers": [{"name": "c", "env": []}]}}},
    }  # fmt: skip
    running.kube.put(foreign)
    running.apply_backup()
    running.deliver("backup", NIGHTLY)
    assert condition(running, "Scheduled") == ("False", "NameTaken")
    assert "give this ZooKeeperBackup another name" in status(running).message
    assert "NameTaken" in running.events()


def test_the_seed_system_s_image_is_replaced_and_told(running: Any) -> None:
    running.apply_backup(image="go2sheep/zk-helper:10cc9d8")
    running.settle()
    pod = running.jobs.known["backup-nightly"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "zookeeper-functions:latest"
    assert running.events().count("HelperImageReplaced") == 1


def test_progress_is_shown_while_it_changes(running: Any) -> None:
    running.jobs.held.add("copy-out")
    running.apply_backup()
    running.settle()
    (pod,) = running.kube.list(POD, "apps", {"operator": "zookeeper-backup"})
    address = pod["status"]["podIP"]
    assert status(running).progress is None
    running.programs.running[address] = Progress(10, 100, "copying")
    assert writes(running) == 1
    assert status(running).progress == "10 of 100 bytes (copying)"
    running.programs.running[address] = Progress(12, 100, "copying")
    assert writes(running) == 0
    running.programs.running[address] = Progress(50, 100, "copying")
    assert writes(running) == 1
    running.jobs.held.clear()
    running.settle()
    assert status(running).progress is None
    assert status(running).status == "completed"


# Whom to copy from.


def test_without_a_cluster_the_sentence_says_what_to_do(running: Any) -> None:
    running.apply_backup(source={"name": "other"})
    running.settle()
    assert status(running).status == "pending"
    assert condition(running, "Scheduled") == ("False", "NoCluster")
    assert "StatefulSet other" in status(running).message
    assert NIGHTLY in running.resync("unsettled")


def test_the_documented_leader_lookup_is_made_before_a_run_only(running: Any) -> None:
    """Guards against C15: a lookup at every look."""
    running.admin_servers.leaders["zk-admin", 8080] = 2
    running.apply_backup(source={"name": "zk", "host": "zk-admin"})
    running.settle()
    assert job_env(running)["SERVER"] == "zk-1"
    running.admin_servers.leaders.clear()
    assert writes(running) == 0
    assert status(running).status == "completed"


def test_a_lookup_that_fails_says_so_and_is_made_again(running: Any) -> None:
    """Guards against C16: an AdminServer without the command is an error for ever, in silence."""
    running.apply_backup(source={"name": "zk", "host": "nowhere"})
    running.settle()
    assert condition(running, "Scheduled") == ("False", "LeaderUnknown")
    assert "nowhere:8080" in status(running).message
    running.admin_servers.leaders["nowhere", 8080] = 1
    running.settle()
    assert job_env(running)["SERVER"] == "zk-0"


def test_without_a_quorum_the_newest_disk_is_copied_and_said(running: Any) -> None:
    running.broken_pods |= {"zk-0", "zk-1"}
    running.remove_pod("zk-0")
    running.remove_pod("zk-1")
    running.settle()
    running.apply_backup()
    running.settle()
    assert job_env(running)["SERVER"] == "zk-2"
    assert job_env(running)["SERVER_HOST"] == ""
    assert status(running).record[0].message == "No server served."
    assert "No server served." in status(running).message


def test_a_stopped_cluster_is_not_guessed_from(running: Any) -> None:
    running.apply(replicas=3, stopped=True)
    running.settle()
    running.apply_backup()
    running.settle()
    assert condition(running, "Scheduled") == ("False", "ClusterStopped")
    running.apply(replicas=3)
    running.settle()
    assert status(running).status == "completed"


# By a schedule.


def test_a_schedule_makes_a_cron_job_and_each_run_an_entry(running: Any) -> None:
    """Guards against C18 and C20: CronJobs that differ for ever, of a version that is gone."""
    scheduled(running, timeZone="Europe/Berlin")
    found = running.kube.get(Ref(CRON_JOB, "apps", "backup-nightly"))
    assert found["spec"]["schedule"] == "0 * * * *"
    assert found["spec"]["timeZone"] == "Europe/Berlin"
    assert found["spec"]["concurrencyPolicy"] == "Forbid"
    assert status(running).status == "pending"
    fired(running, 2)
    keys = [record.key for record in status(running).record]
    assert set(keys) == running.jobs.store
    assert len(keys) == 2
    assert all(key.startswith("apps/nightly/schedule/backup-nightly-") for key in keys)
    assert status(running).status == "pending"
    assert condition(running, "Recent") == ("True", "AsScheduled")
    assert writes(running) == 0
    assert NIGHTLY not in running.resync("unsettled")


def test_a_schedule_is_running_while_a_job_runs(running: Any) -> None:
    scheduled(running)
    running.jobs.held.add("copy-out")
    running.fire()
    running.settle()
    assert status(running).status == "running"
    assert NIGHTLY in running.resync("unsettled")
    running.jobs.held.clear()
    running.settle()
    assert status(running).status == "pending"


def test_the_misspelt_mode_of_the_seed_system_is_a_schedule(running: Any) -> None:
    running.apply_backup(mode="shedule", schedule="@hourly")
    running.settle()
    fired(running)
    assert "/schedule/" in status(running).record[0].key


def test_a_suspended_schedule_makes_no_run_until_it_goes_on(running: Any) -> None:
    scheduled(running, suspend=True)
    assert status(running).status == "suspend"
    assert not running.fire()
    assert condition(running, "Scheduled") == ("False", "Suspended")
    running.apply_backup(mode="schedule", schedule="0 * * * *")
    running.settle()
    assert status(running).status == "pending"
    fired(running)
    assert len(status(running).record) == 1


def test_a_run_that_failed_is_said_until_the_next_success(running: Any) -> None:
    """Guards against C19: failed runs become records."""
    scheduled(running)
    running.jobs.endings["copy-out"] = Ending("The key is wrong.", code=2, times=2)
    fired(running, 2)
    assert status(running).status == "pending"
    assert status(running).failures == 2
    assert condition(running, "Completed") == ("False", "Failed")
    assert "The key is wrong." in status(running).message
    assert running.events().count("BackupFailed") == 2
    fired(running)
    assert status(running).failures is None
    assert condition(running, "Completed") == ("True", "BackupComplete")
    assert len(status(running).record) == 1


def test_an_old_backup_shows_after_two_runs_without_one(running: Any) -> None:
    scheduled(running)
    fired(running)
    running.clock += timedelta(minutes=90)
    assert NIGHTLY not in running.resync("unsettled")
    running.clock += timedelta(hours=1)
    assert NIGHTLY in running.resync("unsettled")
    running.settle()
    assert condition(running, "Recent") == ("False", "TooOld")
    assert "was due twice" in status(running).message
    assert running.events().count("TooOld") == 1
    assert writes(running) == 0


def test_the_template_follows_the_leader_that_a_follower_became(running: Any) -> None:
    scheduled(running)
    before = cron_env(running)["SERVER"]
    running.broken_pods.add(before)
    running.remove_pod(before)
    running.settle()
    assert cron_env(running)["SERVER"] != before
    assert status(running).server == cron_env(running)["SERVER"]
    assert writes(running) == 0


def test_a_changed_target_reaches_the_next_run(running: Any) -> None:
    scheduled(running, target={"s3": {"bucket": "b", "caSecret": {"name": "ca", "key": "c"}}})
    assert cron_env(running)["CA_FILE"]
    scheduled(running, target={"s3": {"bucket": "other"}})
    assert cron_env(running)["BUCKET"] == "other"
    found = running.kube.get(Ref(CRON_JOB, "apps", "backup-nightly"))
    spec = found["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert "store-ca" not in {volume["name"] for volume in spec["volumes"]}
    assert writes(running) == 0


def test_without_its_cluster_a_schedule_is_held_back_and_goes_on_with_it(running: Any) -> None:
    scheduled(running)
    running.delete()
    running.settle()
    assert cron_suspended(running)
    assert condition(running, "Scheduled") == ("False", "NoCluster")
    assert writes(running) == 0
    running.apply(replicas=3)
    running.settle()
    assert not cron_suspended(running)
    fired(running)
    assert len(status(running).record) == 1


def test_a_run_that_waits_for_a_server_that_is_gone_makes_room(running: Any) -> None:
    running.jobs.unplaced.add("copy-out")
    running.apply_backup()
    running.settle()
    before = job_env(running)["SERVER"]
    running.broken_pods.add(before)
    running.remove_pod(before)
    running.settle()
    assert job_env(running)["SERVER"] != before
    assert jobs(running) == ["backup-nightly"]


def test_a_run_made_by_hand_counts_like_any_other(running: Any) -> None:
    scheduled(running)
    cron = running.kube.get(Ref(CRON_JOB, "apps", "backup-nightly"))
    template, metadata = cron["spec"]["jobTemplate"], cron["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": metadata["name"]}
    about = {**template["metadata"], "name": "by-hand", "namespace": "apps",
             "ownerReferences": [{**owner, "uid": metadata["uid"]}]}  # fmt: skip
    running.kube.put(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": template["spec"]}
    )
    for _ in range(4):
        running.kubernetes()
    running.deliver("backup", Ref(JOB, "apps", "by-hand"))
    (record,) = status(running).record
    assert record.key.startswith("apps/nightly/schedule/by-hand-")


# Restores go first.


@pytest.mark.parametrize("mode", ["once", "schedule"])
def test_a_backup_waits_for_a_restore(running: Any, mode: str) -> None:
    hold_cluster(running, "Restore")
    schedule = {"mode": mode, "schedule": "@daily"} if mode == "schedule" else {}
    running.apply_backup(**schedule)
    running.deliver("backup", NIGHTLY)
    running.deliver("backup", NIGHTLY)
    assert condition(running, "Scheduled") == ("False", "RestoreUnderWay")
    assert "go on after it by themselves" in status(running).message
    assert NIGHTLY in running.resync("unsettled")
    assert jobs(running) == []
    if mode == "schedule":
        assert cron_suspended(running)
    hold_cluster(running, None)
    running.settle()
    assert condition(running, "Scheduled") == ("True", "AsWanted")
    if mode == "schedule":
        assert not cron_suspended(running)
    else:
        assert status(running).status == "completed"


# What is kept.


def test_the_newest_are_kept_and_the_others_go_with_their_objects(running: Any) -> None:
    """Guards against C19: records that are never pruned."""
    scheduled(running, retention={"keepLast": 2})
    fired(running, 4)
    kept = {record.key for record in status(running).record}
    assert len(kept) == 2
    assert running.jobs.store == kept
    assert not any("prune" in name for name in jobs(running))
    assert writes(running) == 0
    assert NIGHTLY not in running.resync("unsettled")


def test_a_backup_grows_old_while_nobody_looks(running: Any) -> None:
    scheduled(running, retention={"keepFor": "5h"})
    fired(running, 3)
    assert len(status(running).record) == 3
    running.clock += timedelta(hours=9)
    assert NIGHTLY in running.resync("unsettled")
    running.settle()
    (left,) = status(running).record
    assert running.jobs.store == {left.key}


def test_what_cannot_be_removed_stays_on_record_and_is_tried_again(running: Any) -> None:
    scheduled(running, retention={"keepLast": 1})
    running.jobs.endings["prune"] = Ending("The keys may not delete.", code=2, times=1)
    fired(running, 2)
    assert len(status(running).record) == 2
    assert "The keys may not delete." in status(running).message
    assert writes(running) == 0
    running.clock += timedelta(hours=2)
    running.settle()
    assert len(status(running).record) == 1
    assert "The keys may not delete." not in status(running).message


def test_a_backup_that_a_restore_reads_is_kept(running: Any) -> None:
    scheduled(running)
    fired(running, 2)
    first, second = (record.key for record in status(running).record)
    running.jobs.held.add("stage")
    source = {"s3": {"bucket": "b", "key": first}}
    running.apply_restore(source=source, rolloutRestart=False)
    scheduled(running, retention={"keepLast": 1})
    assert running.jobs.store == {first, second}
    restore = running.kube.get(Ref(RESTORE, "apps", "back"))
    running.kube.put({**restore, "status": {"status": "completed"}})
    running.settle()
    assert running.jobs.store == {second}


# What the API server or the spec refuses.


def test_a_spec_that_cannot_be_read_keeps_the_record(running: Any) -> None:
    running.apply_backup()
    running.settle()
    before = status(running).record
    found = running.kube.get(NIGHTLY)
    found["spec"]["timeout"] = "soon"
    running.kube.put(found)
    assert running.deliver("backup", NIGHTLY).status == 204
    told = running.kube.get(NIGHTLY)["status"]
    assert [entry["key"] for entry in told["record"]] == [record.key for record in before]
    assert "timeout" in told["message"]
    reasons = {c["type"]: c["reason"] for c in told["conditions"]}
    assert reasons["Scheduled"] == "InvalidSpec"
    assert reasons["Completed"] == "BackupComplete"
    assert running.events().count("InvalidSpec") == 1
    written = len(running.kube.writes)
    running.deliver("backup", NIGHTLY)
    assert len(running.kube.writes) == written


def test_a_deleted_backup_makes_nothing_more(running: Any) -> None:
    running.apply_backup()
    found = running.kube.get(NIGHTLY)
    found["metadata"]["finalizers"] = ["example.com/other"]
    running.kube.put(found)
    running.kube.delete(NIGHTLY, uid=found["metadata"]["uid"])
    written = len(running.kube.writes)
    running.deliver("backup", NIGHTLY)
    assert len(running.kube.writes) == written


def test_a_schedule_that_the_api_server_refuses_is_said(running: Any) -> None:
    """The twin takes every schedule, so the refusal is played."""
    running.faults.reset()
    running.apply_backup(mode="schedule", schedule="0 3 * * *", timeZone="Nowhere/At-All")
    running.faults.reset()
    calls = iter(range(1, 40))
    while running.kube.get(Ref(CRON_JOB, "apps", "backup-nightly")) is None:
        running.faults.reset()
        running.faults.fail_at(next(calls), Refused("unknown time zone Nowhere/At-All"))
        running.deliver("backup", NIGHTLY)
        if condition(running, "Scheduled") == ("False", "InvalidSpec"):
            break
    running.faults.reset()
    assert "unknown time zone" in status(running).message
    assert NIGHTLY not in running.resync("unsettled")


def test_a_spec_that_cannot_be_read_is_nothing_to_resync(running: Any) -> None:
    running.apply_backup()
    found = running.kube.get(NIGHTLY)
    found["spec"]["timeout"] = "soon"
    running.kube.put(found)
    assert NIGHTLY not in running.resync("unsettled")
    assert NIGHTLY in running.resync("all")


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(NIGHTLY, id="itself"),
        pytest.param(Ref(JOB, "apps", "backup-nightly"), id="its-job"),
    ],
)
def test_an_event_that_failed_for_good_is_told_on_the_backup(running: Any, subject: Ref) -> None:
    running.apply_backup()
    assert running.deliver("dead-letter", subject).status == 204
    (told,) = [e for e in running.kube.list(EVENT, "apps") if e["reason"] == "EventFailed"]
    assert told["involvedObject"]["kind"] == "ZooKeeperBackup"
    assert told["involvedObject"]["name"] == "nightly"


def test_an_event_about_a_kind_that_nobody_knows_is_told_nobody(running: Any) -> None:
    before = running.events()
    thing = Ref(Kind("example.com/v1", "Thing", "things"), "apps", "nightly")
    assert running.deliver("dead-letter", thing).status == 204
    assert running.events() == before


# Which events are about which backup.


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(NIGHTLY, True, id="itself"),
        pytest.param(Ref(CLUSTER, "apps", "zk"), True, id="its cluster"),
        pytest.param(Ref(CLUSTER, "apps", "other"), False, id="another cluster"),
        pytest.param(Ref(CLUSTER, "elsewhere", "zk"), False, id="a cluster elsewhere"),
        pytest.param(Ref(JOB, "apps", "backup-nightly"), True, id="its Job"),
        pytest.param(Ref(JOB, "apps", "backup-nightly-29384756"), True, id="a run"),
        pytest.param(Ref(JOB, "apps", "prune-nightly-0123456789"), True, id="what removes"),
        pytest.param(Ref(JOB, "apps", "backup-other"), False, id="another's Job"),
        pytest.param(Ref(CRON_JOB, "apps", "backup-nightly"), True, id="its CronJob"),
        pytest.param(Ref(CRON_JOB, "apps", "backup-other"), False, id="another's CronJob"),
        pytest.param(Ref(POD, "apps", "backup-nightly-abcde"), False, id="a pod"),
    ],
)
def test_an_event_wakes_the_backups_it_is_about(running: Any, subject: Ref, expected: bool) -> None:
    running.apply_backup()
    running.deliver("backup", subject)
    assert bool(jobs(running)) == expected
