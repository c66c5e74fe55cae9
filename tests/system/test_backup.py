"""Backups as a user makes them: once and by a schedule, to S3 and OSS, and what can go wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.platform.handle import Platform, eventually
from local.platform.state import State
from local.stores import place
from tests.system import rest
from tests.system.backups import KEYS, Asked, backup, give_keys, location, objects
from tests.system.clusters import Cluster
from tests.system.rest import Manifest

pytestmark = pytest.mark.system

RECORDED = ("startTime", "finishTime", "size", "zxid", "server", "version", "checksum", "verified")
SEED = Path(__file__).with_name("seed_backup.yaml")
NOBODY = "http://s3.zookeeper-local.svc.cluster.local:9999"


@pytest.fixture(scope="module")
def served(product: Platform, shared_namespace: str) -> Cluster:
    """An ensemble of one server, with the stores' keys beside it."""
    cluster = Cluster(product, shared_namespace, "source")
    give_keys(cluster)
    cluster.apply(replicas=1)
    cluster.until_settled(90)
    cluster.write("/kept", "value")
    return cluster


def test_a_backup_ends_on_record_and_its_keys_are_nowhere(served: Cluster) -> None:
    """Guards against C1, C2, C27: a backup of the default path that is empty, has no finishTime,
    or is pending again."""
    made = backup(served, "first", location(place.S3))
    status = made.until_over()
    assert status["status"] == "completed"
    assert "read back and proven" in status["message"]
    (record,) = status["record"]
    assert re.fullmatch(rf"{served.namespace}/first/once/backup-first-[a-z0-9]{{5}}", record["key"])
    assert all(record.get(field) for field in RECORDED), record
    found = objects(served, place.S3, record["key"])
    assert {"manifest.json", "acceptedEpoch", "currentEpoch"} <= set(found)
    assert any(name.startswith("snapshot.") for name in found)
    assert sum(found.values()) >= record["size"]
    _assert_secret(served, made)
    # Its pod would keep the volume's claim from being deleted.
    made.until(lambda: not made.jobs(), "its Job to go")
    served.until_calm(3)
    assert made.word == "completed"
    assert made.records() == [record]


def _assert_secret(cluster: Cluster, made: Asked) -> None:
    """The keys are in the Secret alone, and the pod has no rights of its own."""
    keys = place.credentials(State(cluster.platform.state))
    kinds = "zkbackup,job,cronjob,pod,event"
    shown = cluster.kubectl("get", kinds, "-o", "yaml").stdout
    for pod in made.pods():
        # It may go with its Job at any moment, and then has nothing to say.
        said = cluster.kubectl("logs", pod["metadata"]["name"], check=False)
        assert said.returncode == 0 or "NotFound" in said.stderr, said.stderr
        shown += said.stdout
    assert made.name in shown
    assert keys.secret_key not in shown
    for pod in made.pods():
        assert pod["spec"]["automountServiceAccountToken"] is False


def test_a_seed_manifest_applies_unchanged_and_ends_as_documented(served: Cluster) -> None:
    """Guards against C16: the leader is asked where it can be, whatever the server's version."""
    manifest: Manifest = yaml.safe_load(SEED.read_text())
    served.kubectl("apply", "-f", str(SEED))
    made = Asked(served, "zkbackup", manifest["metadata"]["name"])
    status = made.until_over()
    assert status["status"] == "completed", status
    (record,) = status["record"]
    assert re.fullmatch(rf"{served.namespace}/backup-test/once/backup-[^/]+", record["key"])
    assert record["finishTime"] >= record["startTime"]
    assert "manifest.json" in objects(served, place.OSS, record["key"])
    assert _has(made.get()["spec"], manifest["spec"]), "what the manifest said is still there"


def _has(found: Any, wanted: Any) -> bool:
    """Whether everything of a manifest is in the object: defaults may have come to it."""
    if not isinstance(wanted, dict):
        return bool(found == wanted)
    return all(key in found and _has(found[key], value) for key, value in wanted.items())


@pytest.mark.parametrize(
    ("name", "target", "sentence"),
    [
        pytest.param(
            "no-bucket",
            location(place.S3, bucket="nowhere"),
            "There is no bucket nowhere",
            id="no-bucket",
        ),
        pytest.param(
            "no-bucket-oss",
            location(place.OSS, bucket="nowhere", pathStyle=True),
            "There is no bucket nowhere",
            id="no-bucket-oss",
        ),
        pytest.param(
            "wrong-keys", {"s3": {**location("s3")["s3"]}}, "The secret key for", id="wrong-keys"
        ),
        pytest.param(
            "nobody",
            location(place.S3, endpoint=NOBODY),
            NOBODY,
            id="unreachable",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_what_cannot_work_is_said(
    served: Cluster, name: str, target: Manifest, sentence: str
) -> None:
    if name == "wrong-keys":
        target = _with_wrong_keys(served, target)
    made = backup(served, name, target, timeout="30s")
    made.until_it_says(sentence, 90)
    assert made.records() == []
    if name != "nobody":  # That may pass, and is tried again.
        assert made.until_over()["status"] == "failed"
        assert made.pods(), "what failed can still be looked at"
        _assert_secret(served, made)


def _with_wrong_keys(cluster: Cluster, target: Manifest) -> Manifest:
    keys = place.credentials(State(cluster.platform.state))
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "wrong"},
        "stringData": {"accessKey": keys.access_key, "secretKey": "wrong"},
    }
    cluster.kubectl("apply", "-f", "-", input=json.dumps(secret))
    ((store, known),) = target.items()
    wrong = {field: {**reference, "name": "wrong"} for field, reference in KEYS.items()}
    return {store: {**known, **wrong}}


def test_a_missing_secret_is_said_and_making_it_is_enough(
    product: Platform, served: Cluster
) -> None:
    target = location(place.S3)
    missing = {field: {**reference, "name": "late"} for field, reference in KEYS.items()}
    made = backup(served, "late-keys", {"s3": {**target["s3"], **missing}})
    made.until_it_says("late")
    given = product.local("store-secret", "-n", served.namespace).stdout
    served.kubectl("apply", "-f", "-", input=given.replace('"name": "store"', '"name": "late"'))
    assert made.until_over()["status"] == "completed"


@pytest.mark.soak
def test_a_schedule_can_be_suspended_resumed_and_run_by_hand(served: Cluster) -> None:
    """Guards against C19, C20: failed runs become records; CronJobs of a version that is gone."""
    made = backup(
        served, "nightly", location(place.S3), mode="shedule", schedule="0 3 * * *", suspend=True
    )
    made.until(lambda: made.word == "suspend", "the suspended schedule")
    (cron,) = _cron_jobs(served, made)
    assert cron["spec"]["suspend"] is True
    made.patch({"suspend": False})
    made.until(lambda: made.word == "pending", "the schedule to be waited for")
    (cron,) = _cron_jobs(served, made)
    assert cron["spec"].get("suspend", False) is False
    for run in ("by-hand-1", "by-hand-2"):
        served.kubectl("create", "job", run, f"--from=cronjob/{cron['metadata']['name']}")
    made.until(lambda: len(made.records()) == 2, "two backups on record", 90)
    keys = [record["key"] for record in made.records()]
    assert all(key.startswith(f"{served.namespace}/nightly/schedule/") for key in keys)
    made.patch({"retention": {"keepLast": 1}})
    made.until(lambda: len(made.records()) == 1, "the older one to go", 90)
    assert [record["key"] for record in made.records()] == keys[1:]
    eventually(lambda: not objects(served, place.S3, keys[0]), what="its objects to go")
    assert "manifest.json" in objects(served, place.S3, keys[1])
    assert made.word == "pending"


def _cron_jobs(cluster: Cluster, made: Asked) -> list[Manifest]:
    uid = made.get()["metadata"]["uid"]
    found = cluster.all_of("cronjob")
    return [cron for cron in found if _owner(cron) == uid]


def _owner(item: Manifest) -> Any:
    owners = item["metadata"].get("ownerReferences") or [{}]
    return owners[0].get("uid")


def test_deleting_a_backup_takes_its_jobs_and_leaves_its_objects(served: Cluster) -> None:
    made = backup(served, "gone", location(place.OSS))
    (record,) = made.until_over()["record"]
    jobs = [job["metadata"]["name"] for job in made.jobs()]
    served.kubectl("delete", "zkbackup", "gone", "--timeout=60s")
    kubeconfig = served.platform.kubeconfig
    eventually(
        lambda: not any(rest.get(kubeconfig, served.namespace, "job", job) for job in jobs),
        what="the Jobs to go",
    )
    assert "manifest.json" in objects(served, place.OSS, record["key"])


@pytest.mark.soak
def test_a_schedule_runs_when_its_minute_comes_and_keeps_the_newest(served: Cluster) -> None:
    keep = {"keepLast": 2}
    every_minute = {"mode": "schedule", "schedule": "* * * * *", "retention": keep}
    made = backup(served, "minutely", location(place.S3), **every_minute)
    seen: dict[str, None] = {}

    def three_came() -> bool:
        seen.update(dict.fromkeys(record["key"] for record in made.records()))
        return len(seen) >= 3 and len(made.records()) <= 2

    made.until(three_came, "three backups, of which two stay", 300)
    made.patch({"suspend": True})
    made.until(lambda: made.word == "suspend", "the end of the schedule")
    first = next(iter(seen))
    eventually(lambda: not objects(served, place.S3, first), what="the oldest one's objects to go")


@pytest.mark.soak
def test_a_killed_copier_is_replaced_and_leaves_nothing_behind(served: Cluster) -> None:
    """The store is away, so that the copier is still at work when it is killed."""
    served.platform.local("fault", "stop-store")
    made = backup(served, "killed", location(place.S3))
    running = made.until(lambda: [p for p in made.pods() if _runs(p)], "its pod")
    victim = running[0]["metadata"]["name"]
    served.kubectl("delete", "pod", victim, "--grace-period=0", "--force")
    served.platform.local("fault", "start-store")
    status = made.until_over(180)
    assert status["status"] == "completed"
    (record,) = status["record"]
    assert not record["key"].endswith(f"/{victim}")
    found = objects(served, place.S3, f"{served.namespace}/killed/once")
    assert {name.partition("/")[0] for name in found} == {record["key"].rpartition("/")[2]}


def _runs(pod: Manifest) -> bool:
    return bool(pod["status"].get("phase") == "Running")


@pytest.mark.soak
@pytest.mark.parametrize("fault", ["stop-store", "stop-api"])
def test_what_goes_away_meanwhile_comes_back(served: Cluster, fault: str) -> None:
    made = backup(served, f"through-{fault}", location(place.S3))
    made.until(lambda: made.pods(), "its pod")
    served.platform.local("fault", fault)
    served.platform.local("fault", fault.replace("stop", "start"))
    assert made.until_over(180)["status"] == "completed"
