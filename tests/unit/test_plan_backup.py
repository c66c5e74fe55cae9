"""What is planned for a backup: whom to copy from, what is made, said, kept and removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.api.backup import Record, Retention, ZooKeeperBackup
from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import CRON_JOB, JOB
from functions.api.manifest import Manifest
from functions.api.restore import ZooKeeperRestore
from functions.manifests.backup_jobs import KEYS, CopyFrom, may_be_of, once_job, once_job_name
from functions.manifests.installation import Installation
from functions.manifests.job_names import GENERATION
from functions.planning.backups.cron import fires_between, parse_schedule
from functions.planning.backups.freshness import recent
from functions.planning.backups.objects import bring_objects, is_done
from functions.planning.backups.planner import plan_backup
from functions.planning.backups.retention import expired
from functions.planning.backups.runs import records
from functions.planning.backups.seen import Seen
from functions.planning.backups.settled import unsettled_backup
from functions.planning.backups.source import (
    NoSource,
    Source,
    find_source,
    mentions,
    needs_disks,
    needs_leader,
    restore_in_the_way,
)
from functions.planning.ensemble import DiskReport
from functions.planning.jobs import SeenJob, seen_jobs
from functions.planning.progress import Progress, told_progress
from functions.planning.steps import (
    Announce,
    ApplyObject,
    CreateObject,
    DeleteObject,
    Plan,
    WriteStatus,
)
from tests.unit.planned import NOW, cluster

OURS = Installation("zookeeper-functions:1")
UID = "uid-of-nightly"
CRON_UID = "uid-of-cron-job"
SCHEDULE: dict[str, Any] = {"mode": "schedule", "schedule": "0 * * * *"}


def backup(status: dict[str, Any] | None = None, **spec: Any) -> ZooKeeperBackup:
    given = {"source": {"name": "zk"}, "target": {"s3": {"bucket": "b"}}, **spec}
    metadata = {
        "name": "nightly", "namespace": "apps", "uid": UID, "generation": 2,
        "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return ZooKeeperBackup.parse({"metadata": metadata, "spec": given, "status": status or {}})


def ensemble(*modes: str, **more: Any) -> ZooKeeperCluster:
    """Return the cluster apps/zk whose servers have these modes; a mode of its own is ready."""
    servers = [
        {
            "name": f"zk-{n}", "mode": mode.removesuffix("!"), "myId": str(n + 1),
            "ready": "false" if mode.endswith("!") else "true",
        }
        for n, mode in enumerate(modes)
    ]  # fmt: skip
    status = {"servers": servers, "version": "3.9.5", **more.pop("status", {})}
    return cluster(status, **more)


SERVING = ensemble("follower", "leader", "follower")
SILENT = ensemble("unknown", "unknown", "unknown")


def disk(zxid: int | None, *, is_empty: bool = False) -> DiskReport:
    return DiskReport(is_empty, zxid, (zxid or 0) >> 32, frozenset(), frozenset())


def restore(step: str = "Stop", status: str = "running", **more: Any) -> ZooKeeperRestore:
    key = more.pop("key", "apps/nightly/once/p")
    spec = {"source": {"s3": {"bucket": "b", "key": key}}, "target": {"name": "zk"}}
    told = {"step": step, "status": status, "cluster": "zk", **more}
    return ZooKeeperRestore.parse({"metadata": {"name": "back"}, "spec": spec, "status": told})


def chosen(found: Source | NoSource) -> tuple[str, bool]:
    assert isinstance(found, Source), found
    return found.pod, found.is_serving


# Whom to copy from.


@pytest.mark.parametrize(
    ("own", "before", "expected"),
    [
        pytest.param(SERVING, None, "zk-0", id="a-follower-before-the-leader"),
        pytest.param(SERVING, "zk-2", "zk-2", id="the-same-as-before"),
        pytest.param(SERVING, "zk-1", "zk-0", id="not-what-became-the-leader"),
        pytest.param(SERVING, "zk-9", "zk-0", id="not-what-is-gone"),
        pytest.param(SERVING, "other-0", "zk-0", id="not-another-cluster's"),
        pytest.param(ensemble("leader", "observer"), None, "zk-1", id="an-observer-too"),
        pytest.param(ensemble("follower!", "leader", "observer"), None, "zk-2", id="a-ready-one"),
        pytest.param(ensemble("standalone"), None, "zk-0", id="the-only-one"),
        pytest.param(ensemble("unknown", "leader"), "zk-0", "zk-1", id="one-that-serves"),
    ],
)
def test_the_healthiest_server_is_copied_from(
    own: ZooKeeperCluster, before: str | None, expected: str
) -> None:
    found = find_source(backup({"server": before} if before else {}), Seen(OURS, (own,)))
    assert chosen(found) == (expected, True)


@pytest.mark.parametrize(
    ("disks", "before", "expected"),
    [
        pytest.param({1: disk(5), 2: disk(7), 3: disk(6)}, None, "zk-1", id="the-newest"),
        pytest.param({1: disk(7), 2: disk(7)}, "zk-1", "zk-1", id="the-same-as-before"),
        pytest.param({1: disk(9 << 32), 2: disk(1)}, "zk-1", "zk-0", id="a-later-epoch"),
        pytest.param(
            {1: disk(0, is_empty=True), 3: disk(1)}, None, "zk-2", id="none-that-is-empty"
        ),
        pytest.param({1: disk(None), 3: disk(1)}, None, "zk-2", id="none-that-cannot-be-read"),
    ],
)
def test_when_nobody_serves_the_newest_disk_counts(
    disks: dict[int, DiskReport], before: str | None, expected: str
) -> None:
    seen = Seen(OURS, (SILENT,), disks=disks, placed=frozenset({"zk-1"}))
    found = find_source(backup({"server": before} if before else {}), seen)
    assert chosen(found) == (expected, False)
    assert isinstance(found, Source)
    assert found.is_beside == (expected == "zk-1")


EPHEMERAL = {"storage": {"ephemeral": True}}
ADMIN = {"adminServer": {"enabled": True}}
OLD = {"status": {"version": "3.8.4"}}


@pytest.mark.parametrize(
    ("own", "spec", "reason", "says"),
    [
        pytest.param((), {}, "NoCluster", "StatefulSet zk (spec.source.name)", id="none"),
        pytest.param(
            (SERVING,), {"source": {"labelSelector": {"a": "b"}}}, "NoCluster",
            "with the labels a=b", id="none-with-such-labels",
        ),
        pytest.param(
            (SERVING, SERVING), {"source": {"labelSelector": {"operator": "zookeeper"}}},
            "NoCluster", "those of 2 clusters: zk, zk", id="several",
        ),
        pytest.param(
            (SERVING,), {"source": {"name": "zk", "dataDir": "/srv/version-2"}}, "OtherDataDir",
            "keep their data in /data/version-2", id="another-folder",
        ),
        pytest.param(
            (ensemble(stopped=True),), {}, "ClusterStopped", "Let it run", id="stopped"
        ),
        pytest.param((SILENT,), {}, "NoServer", "none says what its disk holds", id="silence"),
        pytest.param(
            (ensemble("follower", **EPHEMERAL),), {}, "NoVolumes", "spec.method: snapshot",
            id="no-volumes",
        ),
        pytest.param(
            (ensemble("follower", **EPHEMERAL),), {"method": "snapshot"}, "NoSnapshot",
            "spec.adminServer.enabled of zk", id="no-volumes-and-no-admin-server",
        ),
        pytest.param(
            (ensemble("follower", **EPHEMERAL, **ADMIN, **OLD),), {"method": "snapshot"},
            "NoSnapshot", "zk runs 3.8.4", id="no-volumes-and-too-old",
        ),
        pytest.param(
            (SERVING,), {"source": {"name": "zk", "host": "h"}}, "LeaderUnknown",
            "it was not asked yet", id="a-leader-not-asked-for",
        ),
    ],
)  # fmt: skip
def test_why_nothing_can_be_copied_is_a_sentence(
    own: tuple[ZooKeeperCluster, ...], spec: dict[str, Any], reason: str, says: str
) -> None:
    found = find_source(backup(**spec), Seen(OURS, own))
    assert isinstance(found, NoSource)
    assert found.reason == reason
    assert says in found.message


def test_the_relative_folder_and_labels_are_accepted() -> None:
    source = {"labelSelector": {"operator": "zookeeper", "instance": "zk"}, "dataDir": "/version-2"}
    assert chosen(find_source(backup(source=source), Seen(OURS, (SERVING,)))) == ("zk-0", True)


@pytest.mark.parametrize(
    ("leader", "before", "expected"),
    [
        pytest.param(2, None, ("zk-1", True), id="who-is-named"),
        pytest.param(None, "zk-2", ("zk-2", True), id="who-was-named-last"),
        pytest.param(7, "zk-2", "names server 7 as the leader", id="one-that-is-not-there"),
        pytest.param("No route.", "zk-2", "does not say who leads: No route.", id="an-error"),
    ],
)
def test_a_host_that_is_given_is_asked_for_the_leader(
    leader: int | str | None, before: str | None, expected: Any
) -> None:
    wanted = backup({"server": before} if before else {}, source={"name": "zk", "host": "h"})
    found = find_source(wanted, Seen(OURS, (SERVING,), leader=leader))
    if isinstance(expected, str):
        assert isinstance(found, NoSource)
        assert expected in found.message
    else:
        assert chosen(found) == expected


@pytest.mark.parametrize(
    ("own", "method", "expected", "note"),
    [
        pytest.param(ensemble("follower", **ADMIN), "snapshot", "snapshot", "", id="snapshot"),
        pytest.param(SERVING, "snapshot", "files", "adminServer.enabled", id="without-its-server"),
        pytest.param(
            ensemble("follower", **ADMIN, **OLD), "snapshot", "files", "3.9 or later", id="too-old"
        ),
        pytest.param(
            ensemble("follower", **ADMIN, status={"version": None}), "snapshot", "snapshot", "",
            id="of-an-unknown-version",
        ),
        pytest.param(SERVING, "files", "files", "", id="files"),
    ],
)  # fmt: skip
def test_the_files_are_copied_where_no_snapshot_can_be_had(
    own: ZooKeeperCluster, method: str, expected: str, note: str
) -> None:
    found = find_source(backup(method=method), Seen(OURS, (own,)))
    assert isinstance(found, Source)
    assert found.method == expected
    assert note in found.note
    plan = plan_backup(backup(method=method), Seen(OURS, (own,)), NOW)
    assert bool(note) == ("The files are copied instead." in str(status_of(plan).get("message")))


def test_without_a_server_that_serves_the_files_are_copied() -> None:
    own = ensemble("unknown", **ADMIN)
    found = find_source(backup(method="snapshot"), Seen(OURS, (own,), disks={1: disk(1)}))
    assert isinstance(found, Source)
    assert (found.method, found.is_serving) == ("files", False)


@pytest.mark.parametrize(
    ("restores", "operation", "expected"),
    [
        pytest.param((), None, False, id="none"),
        pytest.param((restore(),), None, True, id="one-that-stopped-the-servers"),
        pytest.param((restore("Wait"),), None, True, id="one-that-waits-for-backups"),
        pytest.param((restore("Stage"),), None, False, id="one-that-only-copies"),
        pytest.param((restore("CleanUp"),), None, False, id="one-that-cleans-up"),
        pytest.param((restore("Stop", "failed"),), None, False, id="one-that-is-over"),
        pytest.param((restore(cluster="other"),), None, False, id="one-of-another-cluster"),
        pytest.param((), {"type": "Restore"}, True, id="an-operation"),
        pytest.param((), {"type": "Roll"}, False, id="a-roll"),
    ],
)
def test_a_restore_goes_first(
    restores: tuple[ZooKeeperRestore, ...], operation: dict[str, Any] | None, expected: bool
) -> None:
    own = ensemble("follower", status={"operation": operation} if operation else {})
    assert bool(restore_in_the_way(own, restores)) == expected


def test_only_what_may_be_meant_is_woken_by_a_cluster() -> None:
    assert mentions({"source": {"name": "zk"}}, "zk")
    assert not mentions({"source": {"name": "other"}}, "zk")
    assert mentions({"source": {"labelSelector": {"a": "b"}}}, "zk")


@pytest.mark.parametrize(
    ("spec", "own", "server", "cron_generation", "expected"),
    [
        pytest.param({}, SERVING, None, None, False, id="no-host"),
        pytest.param({"host": "h"}, None, None, None, False, id="no-cluster"),
        pytest.param({"host": "h"}, SERVING, None, None, True, id="no-cron-job-yet"),
        pytest.param({"host": "h"}, SERVING, "zk-1", "1", True, id="an-older-spec"),
        pytest.param({"host": "h"}, SERVING, "zk-1", "2", False, id="as-it-is"),
        pytest.param({"host": "h"}, SERVING, "zk-0", "2", True, id="the-leader-moved"),
    ],
)
def test_the_leader_is_asked_for_only_where_it_may_be_another(
    spec: dict[str, Any],
    own: ZooKeeperCluster | None,
    server: str | None,
    cron_generation: str | None,
    expected: bool,
) -> None:
    wanted = backup({"server": server} if server else {}, source={"name": "zk", **spec}, **SCHEDULE)
    clusters = () if own is None else (ensemble("follower", "leader", status={"leader": "zk-1"}),)
    marks = {"annotations": {GENERATION: cron_generation}}
    found = {"spec": {"jobTemplate": {"metadata": marks}}} if cron_generation else None
    assert needs_leader(wanted, Seen(OURS, clusters, cron_job=found), active=False) == expected


@pytest.mark.parametrize("active", [True, False])
def test_for_one_backup_the_leader_is_asked_for_before_its_job(active: bool) -> None:
    wanted = backup(source={"name": "zk", "host": "h"})
    assert needs_leader(wanted, Seen(OURS, (SERVING,)), active) is not active


@pytest.mark.parametrize(
    ("own", "spec", "expected"),
    [
        pytest.param((SILENT,), {}, True, id="nobody-serves"),
        pytest.param((SERVING,), {}, False, id="somebody-serves"),
        pytest.param((), {}, False, id="no-cluster"),
        pytest.param((SILENT,), {"host": "h"}, False, id="the-leader-is-asked-for"),
        pytest.param((ensemble(stopped=True),), {}, False, id="stopped"),
    ],
)
def test_disks_are_looked_at_only_while_nobody_serves(
    own: tuple[ZooKeeperCluster, ...], spec: dict[str, Any], expected: bool
) -> None:
    wanted = backup(source={"name": "zk", **spec})
    assert (needs_disks(wanted, Seen(OURS, own)) is not None) == expected


# Runs, as the Job controller and the kubelet tell of them.


def run_pod(name: str = "p", owner: str = "uid-of-job", **status: Any) -> Manifest:
    owners = [{"uid": owner, "controller": True}]
    metadata = {"name": name, "uid": f"uid-of-{name}", "ownerReferences": owners}
    return {"metadata": metadata, "status": status}


def ended(code: int, message: str = "", **more: Any) -> dict[str, Any]:
    state = {"exitCode": code, "reason": "Completed" if code == 0 else "Error",
             "finishedAt": "2026-01-01T00:05:00Z", "message": message, **more}  # fmt: skip
    return {
        "phase": "Succeeded" if code == 0 else "Failed",
        "containerStatuses": [{"name": "copy-out", "state": {"terminated": state}}],
    }


def job(
    *pods: Manifest, state: str = "", owner: str = UID, reason: str = "", **more: Any
) -> SeenJob:
    metadata = {
        "name": more.pop("name", "backup-nightly"), "uid": "uid-of-job",
        "creationTimestamp": more.pop("created", "2026-01-01T00:00:00Z"),
        "labels": {"app.kubernetes.io/component": more.pop("program", "copy-out")},
        "annotations": {GENERATION: more.pop("generation", "2"), **more.pop("annotations", {})},
        "ownerReferences": [{"uid": owner, "controller": True}], **more,
    }  # fmt: skip
    conditions = [{"type": state, "status": "True", "reason": reason, "message": "In the end.",
                   "lastTransitionTime": "2026-01-01T00:06:00Z"}]  # fmt: skip
    manifest = {"metadata": metadata, "status": {"conditions": conditions if state else []}}
    (seen,) = seen_jobs([manifest], list(pods))
    return seen


RESULT = (
    '{"key": "x/y", "startTime": "2026-01-01T00:01:00Z", "finishTime": "2026-01-01T00:05:00Z", '
    '"size": 7, "zxid": "0x1f", "server": "zk-0", "version": "3.9.5", "checksum": "abc", '
    '"verified": true, "warning": "No quorum."}'
)
GOOD = run_pod(**ended(0, RESULT))


def test_a_job_goes_once_its_backup_is_on_record() -> None:
    wanted, own = backup(), job(GOOD, state="Complete")
    plan = plan_backup(wanted, Seen(OURS, (SERVING,), jobs=(own,)), NOW)
    assert [type(step).__name__ for step in plan][-2:] == ["WriteStatus", "DeleteObject"]
    assert deleted(plan) == [own.name]
    failed = Seen(OURS, (SERVING,), jobs=(FAILED,))
    assert deleted(plan_backup(wanted, failed, NOW)) == [], "its log may be read"


def test_a_run_that_succeeded_is_an_entry_under_our_own_key() -> None:
    (record,) = records(backup(), [job(GOOD)])
    assert record.manifest() == {
        "key": "apps/nightly/once/p", "startTime": "2026-01-01T00:01:00Z",
        "finishTime": "2026-01-01T00:05:00Z", "size": 7, "zxid": "0x1f", "server": "zk-0",
        "version": "3.9.5", "checksum": "abc", "verified": True, "message": "No quorum.",
    }  # fmt: skip


@pytest.mark.parametrize(
    "message",
    [
        "", "no JSON", "[]", "[" * 5000,
        '{"startTime": 5, "finishTime": "soon", "size": -1, "zxid": "zz", "server": {}, '
        '"verified": "yes", "checksum": null}',
        '{"size": true, "startTime": "2026-13-01"}',
        '{"size": 99999999999999999999}',
    ],
)  # fmt: skip
def test_what_a_program_says_that_makes_no_sense_is_left_out(message: str) -> None:
    (record,) = records(backup(), [job(run_pod(**ended(0, message)))])
    assert record.key == "apps/nightly/once/p"
    assert record.finish_time == "2026-01-01T00:05:00Z"
    told = record.manifest()
    assert not {"size", "zxid", "server", "verified", "checksum"} & told.keys()


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(run_pod(**ended(1, RESULT)), id="failed"),
        pytest.param(run_pod(phase="Running"), id="running"),
        pytest.param(run_pod(), id="pending"),
        pytest.param(run_pod(**{**ended(0, RESULT), "phase": "Failed"}), id="evicted-in-the-end"),
    ],
)
def test_a_run_that_did_not_succeed_is_no_entry(pod: Manifest) -> None:
    assert records(backup(), [job(pod, state="Complete")]) == ()


@pytest.mark.parametrize(
    ("pods", "state", "reason", "says"),
    [
        pytest.param(
            (run_pod(**ended(2, '{"error": "No bucket b.", "final": true}')),), "Failed", "",
            "No bucket b.", id="its-own-words",
        ),
        pytest.param(
            (run_pod(**ended(137, reason="OOMKilled")),), "Failed", "",
            "OOMKilled (exit code 137)", id="killed",
        ),
        pytest.param(
            (run_pod(phase="Failed", reason="Evicted", message="low on memory"),), "Failed", "",
            "Evicted low on memory", id="evicted",
        ),
        pytest.param((run_pod(phase="Failed"),), "Failed", "", "nobody said why", id="silence"),
        pytest.param((), "Failed", "DeadlineExceeded", "by spec.timeout", id="too-long"),
        pytest.param((), "Failed", "BackoffLimitExceeded", "In the end.", id="no-pod-left"),
        pytest.param(
            (
                run_pod("a", **ended(1, '{"error": "First."}')),
                run_pod("b", **ended(1, '{"error": "Last."}', finishedAt="2026-01-01T00:09:00Z")),
            ),
            "Failed", "", "Last.", id="of-the-last-try",
        ),
    ],
)  # fmt: skip
def test_why_a_run_failed_is_said(
    pods: tuple[Manifest, ...], state: str, reason: str, says: str
) -> None:
    assert says in job(*pods, state=state, reason=reason).error


# What is made.


def made(plan: Plan) -> list[str]:
    return [
        f"{type(step).__name__} {step.manifest['kind']} {step.manifest['metadata']['name']}"
        for step in plan
        if isinstance(step, CreateObject | ApplyObject)
    ]


def status_of(plan: Plan) -> Manifest:
    (written,) = [step.manifest["status"] for step in plan if isinstance(step, WriteStatus)]
    status: Manifest = written
    return status


def told_by(plan: Plan) -> list[str]:
    return [step.reason for step in plan if isinstance(step, Announce)]


def deleted(plan: Plan) -> list[str]:
    return [step.ref.name for step in plan if isinstance(step, DeleteObject)]


RETRY = once_job_name(backup(), "2")
FAILED = job(run_pod(**ended(2, '{"error": "No."}')), state="Failed", generation="1")


@pytest.mark.parametrize(
    ("status", "jobs", "expected", "word"),
    [
        pytest.param({}, (), ["CreateObject Job backup-nightly"], "pending", id="new"),
        pytest.param({}, (job(),), [], "pending", id="made"),
        pytest.param({}, (job(run_pod(phase="Running")),), [], "running", id="running"),
        pytest.param({}, (job(GOOD),), [], "completed", id="done"),
        pytest.param({}, (job(state="Complete"),), [], "completed", id="done-and-its-pod-gone"),
        pytest.param({"status": "completed"}, (), [], "completed", id="done-and-all-gone"),
        pytest.param({}, (FAILED,), [f"CreateObject Job {RETRY}"], "pending", id="edited"),
        pytest.param(
            {}, (job(state="Failed"),), [], "failed", id="failed",
        ),
        pytest.param(
            {"status": "failed", "observedGeneration": 2}, (), [], "failed", id="failed-and-gone",
        ),
        pytest.param(
            {"status": "failed", "observedGeneration": 1}, (),
            ["CreateObject Job backup-nightly"], "pending", id="failed-gone-and-edited",
        ),
        pytest.param(
            {}, (job(owner="other"),), [], "pending", id="a-job-of-somebody-else",
        ),
        pytest.param(
            {}, (job(run_pod(**ended(1, '{"error": "Cut."}'))),), [], "running", id="tried-again",
        ),
    ],
)  # fmt: skip
def test_one_job_is_made_for_one_backup(
    status: dict[str, Any], jobs: tuple[SeenJob, ...], expected: list[str], word: str
) -> None:
    plan = plan_backup(backup(status), Seen(OURS, (SERVING,), jobs=jobs), NOW)
    assert made(plan) == expected
    assert status_of(plan)["status"] == word


def test_a_try_that_failed_is_told_while_it_is_repeated() -> None:
    jobs = (job(run_pod(**ended(1, '{"error": "Cut."}'))),)
    plan = plan_backup(backup(), Seen(OURS, (SERVING,), jobs=jobs), NOW)
    assert status_of(plan)["message"] == "A try failed and is repeated: Cut."


def test_a_job_that_waits_for_a_server_that_is_gone_is_removed() -> None:
    waiting = job(run_pod(), annotations={"zookeeper.example.com/server": "zk-1"})
    plan = plan_backup(backup(), Seen(OURS, (SERVING,), jobs=(waiting,)), NOW)
    assert deleted(plan) == ["backup-nightly"]
    unknown = plan_backup(backup(), Seen(OURS, (SILENT,), jobs=(waiting,)), NOW)
    assert deleted(unknown) == []


def cron(wanted: ZooKeeperBackup, own: ZooKeeperCluster = SERVING, **status: Any) -> Manifest:
    (step,) = bring_objects(wanted, find_source(wanted, Seen(OURS, (own,))), Seen(OURS)).plan
    assert isinstance(step, ApplyObject)
    metadata = {**step.manifest["metadata"], "uid": CRON_UID, "resourceVersion": "1"}
    return {**step.manifest, "metadata": metadata, "status": status}


def test_a_cron_job_as_wanted_is_left_alone() -> None:
    wanted = backup(**SCHEDULE)
    seen = Seen(OURS, (SERVING,), cron_job=cron(wanted))
    assert bring_objects(wanted, find_source(wanted, seen), seen).plan == ()


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param((), True, id="no-cluster"),
        pytest.param((ensemble(stopped=True),), True, id="stopped"),
        pytest.param((SILENT,), None, id="a-server-that-comes-back"),
    ],
)
def test_a_cron_job_is_held_back_where_its_runs_could_only_fail(
    own: tuple[ZooKeeperCluster, ...], expected: bool | None
) -> None:
    wanted = backup(**SCHEDULE)
    seen = Seen(OURS, own, cron_job=cron(wanted))
    plan = bring_objects(wanted, find_source(wanted, seen), seen).plan
    suspended = [s.manifest["spec"]["suspend"] for s in plan if isinstance(s, ApplyObject)]
    assert suspended == ([] if expected is None else [expected])


def test_nothing_is_done_to_a_cron_job_that_goes_or_is_another_s() -> None:
    wanted = backup(**SCHEDULE)
    found = cron(backup(**SCHEDULE, timeout="1h"))
    going = {**found, "metadata": {**found["metadata"], "deletionTimestamp": "now"}}
    seen = Seen(OURS, (SERVING,), cron_job=going)
    assert bring_objects(wanted, find_source(wanted, seen), seen).plan == ()
    owners = [{"uid": "other", "controller": True}]
    foreign = {**found, "metadata": {**found["metadata"], "ownerReferences": owners}}
    seen = Seen(OURS, (SERVING,), cron_job=foreign)
    told = bring_objects(wanted, find_source(wanted, seen), seen)
    assert (told.plan, told.reason) == ((), "NameTaken")
    assert "CronJob backup-nightly" in told.message


@given(st.data())
def test_an_active_job_is_never_doubled(data: st.DataObject) -> None:
    """However often and in whatever state of the cluster somebody looks."""
    own = data.draw(st.sampled_from([(), (SERVING,), (SILENT,)]))
    jobs = (job(run_pod(phase="Running")),)
    wanted = backup(data.draw(st.sampled_from([{}, {"status": "running"}])))
    plan = plan_backup(wanted, Seen(OURS, own, jobs=jobs), NOW)
    assert made(plan) == []
    assert deleted(plan) == []


# What is kept.


def record(number: int, **more: Any) -> Record:
    time = f"{NOW + timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}"
    return Record(
        key=f"apps/nightly/schedule/p{number}", start_time=time, finish_time=time,
        **{"verified": True, **more},
    )  # fmt: skip


FIVE = tuple(record(n) for n in range(5))


@pytest.mark.parametrize(
    ("retention", "hours", "expected"),
    [
        pytest.param(None, 900, [], id="all"),
        pytest.param({"keepLast": 2}, 900, [0, 1, 2], id="the-last-two"),
        pytest.param({"keepLast": 9}, 900, [], id="more-than-there-are"),
        pytest.param({"keepFor": "3h"}, 5, [0, 1, 2], id="three-hours"),
        pytest.param({"keepFor": "1h"}, 900, [0, 1, 2, 3], id="always-the-newest"),
        pytest.param({"keepLast": 1, "keepFor": "3h"}, 5, [0, 1, 2], id="either-keeps"),
        pytest.param({"keepLast": 4, "keepFor": "1h"}, 900, [0], id="or-the-other"),
    ],
)
def test_what_neither_rule_keeps_goes(
    retention: dict[str, Any] | None, hours: int, expected: list[int]
) -> None:
    asked = None if retention is None else Retention.model_validate(retention)
    gone = expired(FIVE, asked, (), NOW + timedelta(hours=hours))
    assert [FIVE.index(found) for found in gone] == expected


def test_the_newest_good_one_stays_beside_a_newer_doubtful_one() -> None:
    known = (record(0), record(1), record(2, message="No quorum."), record(3, verified=False))
    gone = expired(known, Retention(keep_last=1), (), NOW)
    assert [known.index(found) for found in gone] == [0, 2]


def test_what_a_restore_reads_stays() -> None:
    gone = expired(FIVE, Retention(keep_last=1), {FIVE[1].key}, NOW)
    assert [FIVE.index(found) for found in gone] == [0, 2, 3]


@given(
    count=st.integers(0, 12),
    keep_last=st.none() | st.integers(1, 8),
    keep_hours=st.none() | st.integers(1, 20),
    hours=st.integers(0, 40),
    doubtful=st.sets(st.integers(0, 11)),
)
def test_retention_keeps_the_newest_and_nothing_that_both_rules_drop(
    count: int, keep_last: int | None, keep_hours: int | None, hours: int, doubtful: set[int]
) -> None:
    known = tuple(record(n, message="?" if n in doubtful else None) for n in range(count))
    now = NOW + timedelta(hours=hours)
    keep_for = None if keep_hours is None else f"{keep_hours}h"
    retention = None
    if keep_last is not None or keep_for is not None:
        retention = Retention(keep_last=keep_last, keep_for=keep_for)
    gone = set(expired(known, retention, (), now))
    left = [found for found in known if found not in gone]
    assert left[-1:] == list(known[-1:])
    good = [found for found in known if found.message is None]
    assert set(good[-1:]) <= set(left)
    if retention is None:
        assert not gone
        return
    for number, found in enumerate(known):
        by_count = keep_last is not None and number >= count - keep_last
        age = now - (NOW + timedelta(hours=number))
        by_age = keep_hours is not None and age < timedelta(hours=keep_hours)
        always = found is known[-1] or found in good[-1:]
        assert (found not in gone) == (by_count or by_age or always)


def scheduled_world(*jobs: SeenJob, keep: int = 1) -> tuple[ZooKeeperBackup, Seen]:
    status = {"record": [found.manifest() for found in FIVE]}
    wanted = backup(status, retention={"keepLast": keep}, **SCHEDULE)
    return wanted, Seen(OURS, (SERVING,), jobs=jobs, cron_job=cron(wanted))


def prune_name() -> str:
    wanted, seen = scheduled_world()
    (step,) = [s for s in plan_backup(wanted, seen, NOW) if isinstance(s, CreateObject)]
    name: str = step.manifest["metadata"]["name"]
    return name


PRUNED = {KEYS: "\n".join(found.key for found in FIVE[:4])}
PRUNE: dict[str, Any] = {"program": "prune", "name": prune_name(), "annotations": PRUNED}


def test_entries_leave_only_when_their_objects_are_gone() -> None:
    wanted, seen = scheduled_world()
    plan = plan_backup(wanted, seen, NOW)
    assert made(plan) == [f"CreateObject Job {prune_name()}"]
    assert len(status_of(plan)["record"]) == 5
    working = plan_backup(*scheduled_world(job(**PRUNE)), NOW)
    assert made(working) == []
    assert len(status_of(working)["record"]) == 5


def test_with_the_objects_the_entries_their_runs_and_the_job_go() -> None:
    mine = job(run_pod("p1", **ended(0, RESULT)), owner=CRON_UID, name="run-1")
    done = job(state="Complete", **PRUNE)
    plan = plan_backup(*scheduled_world(mine, done), NOW)
    assert [found["key"] for found in status_of(plan)["record"]] == [FIVE[4].key]
    assert deleted(plan) == ["run-1", prune_name()]
    kinds = [type(step).__name__ for step in plan]
    assert kinds == ["DeleteObject", "WriteStatus", "DeleteObject"]


@pytest.mark.parametrize(
    ("hours", "more", "expected_deleted", "expected_made"),
    [
        pytest.param(0.5, {}, False, False, id="it-rests-a-while"),
        pytest.param(2, {}, True, False, id="it-is-tried-again"),
        pytest.param(0.5, {"name": "prune-older"}, True, True, id="there-is-more-to-remove"),
        pytest.param(2, {"deletionTimestamp": "now"}, False, False, id="it-goes-already"),
    ],
)
def test_a_removal_that_failed_is_said_and_tried_again(
    hours: float, more: dict[str, Any], expected_deleted: bool, expected_made: bool
) -> None:
    failed = job(
        run_pod(**ended(2, '{"error": "No rights."}')), state="Failed", **{**PRUNE, **more}
    )
    wanted, seen = scheduled_world(failed)
    plan = plan_backup(wanted, seen, NOW + timedelta(hours=hours))
    assert bool(deleted(plan)) == expected_deleted
    assert bool(made(plan)) == expected_made
    assert "Old backups could not be removed: No rights." in status_of(plan)["message"]
    assert len(status_of(plan)["record"]) == 5


def test_a_record_never_outgrows_its_object() -> None:
    many = [record(n).manifest() for n in range(1000)]
    wanted = backup({"record": many}, **SCHEDULE)
    new = run_pod("p9999", **ended(0, RESULT.replace("2026", "2027")))
    seen = Seen(OURS, (SERVING,), jobs=(job(new, owner=CRON_UID),), cron_job=cron(wanted))
    status = status_of(plan_backup(wanted, seen, NOW))
    assert len(status["record"]) == 1000
    assert status["record"][-1]["key"] == "apps/nightly/schedule/p9999"
    assert "Set spec.retention." in status["message"]
    assert plan_backup(settled_status(wanted, seen, NOW), seen, NOW) == ()


# How old the newest one may be.


@pytest.mark.parametrize(
    ("schedule", "after", "until", "zone", "expected"),
    [
        ("* * * * *", "2026-01-01T00:00:30+00:00", "2026-01-01T00:01:00+00:00", UTC, 1),
        ("* * * * *", "2026-01-01T00:00:00+00:00", "2026-01-01T09:00:00+00:00", UTC, 2),
        ("0 3 * * *", "2026-01-01T03:00:00+00:00", "2026-01-02T02:59:00+00:00", UTC, 0),
        ("0 3 * * *", "2026-01-01T03:00:00+00:00", "2026-01-03T03:00:00+00:00", UTC, 2),
        ("0 3 * * *", "2026-01-01T02:30:00+00:00", "2026-01-02T02:00:00+00:00",
         ZoneInfo("Europe/Berlin"), 1),
        ("@hourly", "2026-01-01T00:30:00+00:00", "2026-01-01T01:30:00+00:00", UTC, 1),
        ("@yearly", "2026-01-01T00:00:00+00:00", "2027-06-01T00:00:00+00:00", UTC, 1),
        ("*/20 8-9 * * *", "2026-01-01T08:39:00+00:00", "2026-01-01T08:41:00+00:00", UTC, 1),
        ("5/30 * * * *", "2026-01-01T00:06:00+00:00", "2026-01-01T00:34:00+00:00", UTC, 0),
        ("0 0 * * MON-FRI", "2026-01-02T00:00:00+00:00", "2026-01-04T23:00:00+00:00", UTC, 0),
        ("0 0 * * sun", "2026-01-01T00:00:00+00:00", "2026-01-04T00:00:00+00:00", UTC, 1),
        ("0 0 1 * MON", "2026-01-01T12:00:00+00:00", "2026-01-06T00:00:00+00:00", UTC, 1),
        ("0 0 15 FEB ?", "2026-01-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00", UTC, 1),
        ("0 0 31 2 *", "2026-01-01T00:00:00+00:00", "2030-01-01T00:00:00+00:00", UTC, 0),
    ],
)  # fmt: skip
def test_a_schedule_fires_as_kubernetes_reads_it(
    schedule: str, after: str, until: str, zone: Any, expected: int
) -> None:
    parsed = parse_schedule(schedule)
    assert parsed is not None
    times = (datetime.fromisoformat(after), datetime.fromisoformat(until))
    assert fires_between(parsed, *times, zone) == expected


@pytest.mark.parametrize("text", ["61 * * * *", "* * * *", "* * * * 7", "a * * * *", "*/0 * * * *"])
def test_what_is_no_schedule_never_fires(text: str) -> None:
    assert parse_schedule(text) is None


@given(st.from_regex(r"[-*/,?0-9a-z ]{0,20}", fullmatch=True))
def test_no_text_breaks_the_reader_of_schedules(text: str) -> None:
    parse_schedule(text)


@pytest.mark.parametrize(
    ("known", "minutes", "spec", "expected"),
    [
        pytest.param((), 30, {}, "NoBackupYet", id="new"),
        pytest.param((), 180, {}, "TooOld", id="never-one"),
        pytest.param(FIVE[:1], 90, {}, "AsScheduled", id="one-run-is-missing"),
        pytest.param(FIVE[:1], 125, {}, "TooOld", id="two-runs-are-missing"),
        pytest.param(FIVE[:1], 120, {}, "AsScheduled", id="the-second-has-just-begun"),
        pytest.param(FIVE[:1], 125, {"suspend": True}, "TooOld", id="suspended"),
        pytest.param(FIVE[:1], 125, {"schedule": "99 * * * *"}, "AsScheduled", id="no-schedule"),
    ],
)
def test_an_old_backup_is_said_to_be_old(
    known: tuple[Record, ...], minutes: int, spec: dict[str, Any], expected: str
) -> None:
    wanted = backup(**{**SCHEDULE, **spec})
    found = recent(wanted, known, NOW + timedelta(minutes=minutes), UTC)
    assert found.reason == expected
    assert ("spec.suspend is set" in found.message) == bool(spec.get("suspend"))


def test_runs_that_take_long_are_not_missing() -> None:
    slow = record(0).model_copy(update={"finish_time": "2026-01-01T01:30:00Z"})
    wanted = backup(**SCHEDULE)
    assert recent(wanted, (slow,), NOW + timedelta(hours=4), UTC).reason == "AsScheduled"
    assert recent(wanted, (slow,), NOW + timedelta(hours=7), UTC).reason == "TooOld"


# When somebody has to look.


def settled_status(wanted: ZooKeeperBackup, seen: Seen, now: datetime) -> ZooKeeperBackup:
    """Return the backup with the status that its own plan writes."""
    told = status_of(plan_backup(wanted, seen, now))
    return wanted.model_copy(update={"status": type(wanted.status).model_validate(told)})


def test_a_plan_that_was_carried_out_is_followed_by_none() -> None:
    for jobs in ((job(),), (job(GOOD),), (job(run_pod(phase="Running")),), (FAILED, job(GOOD))):
        seen = Seen(OURS, (SERVING,), jobs=jobs)
        assert plan_backup(settled_status(backup(), seen, NOW), seen, NOW) == ()


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        pytest.param((job(GOOD),), "", id="done"),
        pytest.param((job(state="Failed"),), "", id="failed"),
        pytest.param((job(),), "it is pending", id="to-be-run"),
        pytest.param((job(run_pod(phase="Running")),), "it is running", id="running"),
    ],
)
def test_one_backup_is_settled_when_it_is_over(jobs: tuple[SeenJob, ...], expected: str) -> None:
    wanted = settled_status(backup(), Seen(OURS, (SERVING,), jobs=jobs), NOW)
    assert unsettled_backup(wanted, None, NOW, UTC) == expected


ENDED = {"lastScheduleTime": "2026-01-01T04:00:00Z", "lastSuccessfulTime": "2026-01-01T04:01:00Z"}


@pytest.mark.parametrize(
    ("cron_status", "minutes", "spec", "expected"),
    [
        pytest.param({}, 250, {}, "", id="between-two-runs"),
        pytest.param(ENDED, 250, {}, "", id="a-run-on-record"),
        pytest.param({**ENDED, "lastScheduleTime": "2026-01-01T04:30:00Z"}, 250, {}, "",
                     id="a-run-that-did-not-succeed"),
        pytest.param(
            {"lastScheduleTime": "2026-01-01T05:00:00Z",
             "lastSuccessfulTime": "2026-01-01T05:01:00Z"},
            250, {}, "a run is not on record", id="a-run-that-nobody-read",
        ),
        pytest.param({"active": [{}]}, 250, {}, "a run is under way", id="a-run"),
        pytest.param(None, 250, {}, "the CronJob is missing", id="no-cron-job"),
        pytest.param({}, 600, {}, "the newest backup grew old", id="time-passed"),
        pytest.param({}, 250, {"retention": {"keepLast": 2}}, "a backup is no longer kept",
                     id="too-many"),
    ],
)  # fmt: skip
def test_a_schedule_is_settled_between_its_runs(
    cron_status: dict[str, Any] | None, minutes: int, spec: dict[str, Any], expected: str
) -> None:
    status = {"record": [found.manifest() for found in FIVE]}
    wanted = backup(status, **SCHEDULE, **spec)
    seen = Seen(OURS, (SERVING,), cron_job=cron(wanted))
    now = NOW + timedelta(minutes=250)
    found = settled_status(wanted, seen, now)
    cron_job = None if cron_status is None else {"kind": CRON_JOB.name, "status": cron_status}
    assert unsettled_backup(found, cron_job, NOW + timedelta(minutes=minutes), UTC) == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        pytest.param("InvalidSpec", "", id="refused"),
        pytest.param("Denied", "condition Scheduled is False: Denied", id="denied"),
        pytest.param("NoCluster", "condition Scheduled is False: NoCluster", id="no-cluster"),
    ],
)
def test_a_backup_that_waits_is_looked_at_unless_only_an_edit_helps(
    reason: str, expected: str
) -> None:
    conditions = [
        {"type": "Completed", "status": "False", "reason": "NoBackupYet", "observedGeneration": 2},
        {"type": "Scheduled", "status": "False", "reason": reason, "observedGeneration": 2},
        {"type": "Recent", "status": "False", "reason": "NoBackupYet", "observedGeneration": 2},
    ]
    wanted = backup({"conditions": conditions, "status": "pending"}, **SCHEDULE)
    assert unsettled_backup(wanted, None, NOW, UTC) == expected
    long_after = NOW + timedelta(days=9)
    assert unsettled_backup(wanted, None, long_after, UTC) == expected


def test_a_backup_that_nobody_looked_at_or_that_goes() -> None:
    assert "is missing" in unsettled_backup(backup(), None, NOW, UTC)
    going = backup()
    metadata = going.metadata.model_copy(update={"deletion_timestamp": "2026-01-01T00:00:00Z"})
    assert unsettled_backup(going.model_copy(update={"metadata": metadata}), None, NOW, UTC) == ""


# What the program is told of the server.


def told_to_program(own: ZooKeeperCluster, method: str = "files") -> dict[str, Any]:
    made_job = once_job(backup(), "x", CopyFrom(own, 1, method, True, True), OURS)
    (container,) = made_job["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


@pytest.mark.parametrize(
    ("spec", "snapshots", "logs"),
    [
        pytest.param({}, "/data/version-2", "/data/version-2", id="one-volume"),
        pytest.param({"storage": {"log": {"size": "1Gi"}}, "config": {"dataDir": "/zk"}},
                     "/zk/version-2", "/datalog/version-2", id="a-volume-for-the-log"),
        pytest.param(EPHEMERAL, "", "", id="no-volume"),
    ],
)  # fmt: skip
def test_the_program_is_told_where_the_files_are(
    spec: dict[str, Any], snapshots: str, logs: str
) -> None:
    env = told_to_program(ensemble("follower", "leader", **spec))
    assert (env["SNAPSHOT_DIR"], env["LOG_DIR"]) == (snapshots, logs)
    assert (env["SERVER"], env["SERVER_ID"], env["CLIENT_PORT"]) == ("zk-1", "2", "2181")


def test_for_a_snapshot_the_password_is_named_and_not_shown() -> None:
    env = told_to_program(ensemble("follower", "leader", **ADMIN), "snapshot")
    assert env["ADMIN_HOST"] == "zk-1.zk.apps.svc.cluster.local"
    assert env["ADMIN_PORT"] == "8080"
    assert env["ADMIN_AUTH"] == "digest super:$(SUPER_USER_PASSWORD)"
    assert env["SUPER_USER_PASSWORD"]["secretKeyRef"]["name"] == "zk-super-user"


# Names, progress, words.


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,70}[a-z0-9])?(\.[a-z0-9]{1,9}){0,2}", fullmatch=True))
def test_every_object_of_a_backup_is_known_by_its_name(name: str) -> None:
    metadata = {"name": name, "namespace": "apps", "uid": UID}
    spec = {"source": {"name": "zk"}, "target": {"s3": {"bucket": "b"}}}
    wanted = ZooKeeperBackup.parse({"metadata": metadata, "spec": spec})
    plain = once_job_name(wanted)
    assert may_be_of(name, CRON_JOB, plain)
    for found in (plain, once_job_name(wanted, "7"), f"{plain}-29384756"):
        assert may_be_of(name, JOB, found)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param(None, None, None, id="nobody-says"),
        pytest.param("1 of 100 bytes (copying)", None, "1 of 100 bytes (copying)", id="silence"),
        pytest.param(None, Progress(1, 100, "copying"), "1 of 100 bytes (copying)", id="first"),
        pytest.param("1 of 100 bytes (copying)", Progress(4, 100, "copying"),
                     "1 of 100 bytes (copying)", id="hardly-more"),
        pytest.param("1 of 100 bytes (copying)", Progress(6, 100, "copying"),
                     "6 of 100 bytes (copying)", id="more"),
        pytest.param("99 of 100 bytes (copying)", Progress(100, 100, "copying"),
                     "100 of 100 bytes (copying)", id="all"),
        pytest.param("100 of 100 bytes (copying)", Progress(0, 100, "verifying"),
                     "0 of 100 bytes (verifying)", id="another-phase"),
        pytest.param("50 of 100 bytes (copying)", Progress(1, 100, "copying"),
                     "1 of 100 bytes (copying)", id="begun-again"),
    ],
)  # fmt: skip
def test_progress_is_told_when_it_is_worth_it(
    before: str | None, now: Progress | None, expected: str | None
) -> None:
    assert told_progress(before, now) == expected


@given(total=st.integers(0, 10**12), looks=st.lists(st.floats(0, 1), max_size=200))
def test_however_often_somebody_looks_progress_is_written_a_few_times(
    total: int, looks: list[float]
) -> None:
    told, written = None, 0
    for share in sorted(looks):
        now = told_progress(told, Progress(int(total * share), total, "copying"))
        written += now != told
        told = now
    assert written <= 23


def test_the_first_run_the_end_and_the_failure_are_told_once() -> None:
    running = Seen(OURS, (SERVING,), jobs=(job(run_pod(phase="Running")),))
    assert told_by(plan_backup(backup(), running, NOW)) == ["BackupStarted"]
    assert told_by(plan_backup(backup({"status": "running"}), running, NOW)) == []
    done = Seen(OURS, (SERVING,), jobs=(job(GOOD),))
    assert told_by(plan_backup(backup(), done, NOW)) == ["BackupCompleted"]
    failed = Seen(OURS, (SERVING,), jobs=(job(state="Failed"),))
    assert told_by(plan_backup(backup(), failed, NOW)) == ["BackupFailed"]


def test_a_change_from_one_reason_to_another_is_told() -> None:
    none = settled_status(backup(**SCHEDULE), Seen(OURS), NOW)
    taken = cron(backup(**SCHEDULE))
    owners = [{"uid": "other", "controller": True}]
    foreign = {**taken, "metadata": {**taken["metadata"], "ownerReferences": owners}}
    plan = plan_backup(none, Seen(OURS, (SERVING,), cron_job=foreign), NOW)
    assert told_by(plan) == ["NameTaken"]


def test_the_seed_system_s_mode_leads_to_the_documented_key() -> None:
    for mode, folder in (("once", "once"), ("schedule", "schedule"), ("shedule", "schedule")):
        wanted = backup(mode=mode, schedule="@daily")
        found = find_source(wanted, Seen(OURS, (SERVING,)))
        assert isinstance(found, Source)
        assert is_done(wanted, Seen(OURS)) is False
        made_job = once_job(wanted, "x", CopyFrom(SERVING, 0, "files", True, True), OURS)
        (container,) = made_job["spec"]["template"]["spec"]["containers"]
        assert {"name": "OBJECT_KEY", "value": f"apps/nightly/{folder}"} in container["env"]
