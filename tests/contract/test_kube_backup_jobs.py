"""The Jobs and CronJobs of backups and restores on the real API server: accepted as they are built,
for odd names too, and as wanted once they are there."""

from __future__ import annotations

from typing import Any

import pytest

from functions.adapters.kubernetes import connect
from functions.api.backup import ZooKeeperBackup
from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import Refused
from functions.api.manifest import Manifest
from functions.manifests.backup_jobs import (
    CopyFrom,
    cron_job,
    once_job,
    once_job_name,
    prune_job,
)
from functions.manifests.installation import Installation
from functions.planning.backups.objects import bring_objects
from functions.planning.backups.seen import Seen
from functions.planning.backups.source import NoSource, Source
from tests.contract.test_crd_cluster import Api

pytestmark = pytest.mark.contract

OURS = Installation("zookeeper-functions:1")
SECRETS = {
    "accessKeySecret": {"name": "store", "key": "accessKey"},
    "secretKeySecret": {"name": "store", "key": "secretKey"},
}
S3 = {"s3": {"endpoint": "https://s3.example.com:9000", "bucket": "b", **SECRETS,
             "caSecret": {"name": "ca", "key": "ca.crt"}}}  # fmt: skip
PLURALS = {"Job": "jobs", "CronJob": "cronjobs"}
SPECS: dict[str, dict[str, Any]] = {
    "as-small-as-can-be": {"target": {"s3": {"bucket": "b"}}},
    "everything": {
        "target": S3, "mode": "schedule", "schedule": "0 3 * * *", "timeZone": "Europe/Berlin",
        "method": "snapshot", "timeout": "30d", "image": "mine:1",
    },
    "oss": {"target": {"oss": {"endpoint": "oss.example.com", "bucket": "b", **SECRETS}}},
}  # fmt: skip
CLUSTERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "log-volume": {"storage": {"log": {"size": "1Gi"}}, "config": {"dataDir": "/zk/data"}},
    "ephemeral": {"storage": {"ephemeral": True}, "adminServer": {"enabled": True}},
    "own-pods": {
        "pod": {"tolerations": [{"key": "zk", "operator": "Exists"}],
                "securityContext": {"runAsUser": 999}},
        "imagePullSecrets": [{"name": "registry"}],
    },
}  # fmt: skip
NAMES = [
    "test", "a.b.c", "x" * 63, "x" * 253, "x-29384756", "0", "a" * 52, "a." * 100 + "z",
]  # fmt: skip


@pytest.fixture(scope="module")
def api(api_server: Any) -> Api:
    return Api(api_server.url, api_server.token, str(api_server.ca))


def backup(name: str = "nightly", namespace: str = "default", **spec: Any) -> ZooKeeperBackup:
    given = {"source": {"name": "zk"}, "target": {"s3": {"bucket": "b"}}, **spec}
    metadata = {"name": name, "namespace": namespace, "uid": "uid-1", "generation": 3}
    return ZooKeeperBackup.parse({"metadata": metadata, "spec": given})


def source(namespace: str = "default", **spec: Any) -> Source:
    cluster = ZooKeeperCluster.parse(
        {"metadata": {"name": "zk", "namespace": namespace, "uid": "uid-2"}, "spec": spec}
    )
    method = "snapshot" if cluster.spec.storage.ephemeral else "files"
    return Source(cluster, 1, is_serving=True, is_beside=True, method=method)


def copied(found: Source) -> CopyFrom:
    return CopyFrom(found.cluster, found.ordinal, found.method, found.is_serving, found.is_beside)


def accepted(api: Api, manifest: Manifest) -> Manifest:
    path = f"/apis/batch/v1/namespaces/default/{PLURALS[manifest['kind']]}"
    query = "?dryRun=All&fieldValidation=Strict"
    status, answer = api.send("POST", path + query, manifest)
    assert status == 201, answer["message"]
    return answer


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("own", CLUSTERS)
def test_the_api_server_takes_every_job_as_it_is_built(api: Api, spec: str, own: str) -> None:
    wanted, found = backup(**SPECS[spec]), source(**CLUSTERS[own])
    accepted(api, once_job(wanted, once_job_name(wanted), copied(found), OURS))
    accepted(api, prune_job(wanted, ["default/nightly/once/x"], OURS, found.cluster))
    scheduled = {"mode": "schedule", "schedule": "@daily", **SPECS[spec]}
    accepted(api, cron_job(backup(**scheduled), copied(found), OURS, suspend=False))


@pytest.mark.parametrize("name", NAMES)
def test_the_api_server_takes_every_name(api: Api, name: str) -> None:
    wanted, found = backup(name, mode="schedule", schedule="@daily"), source()
    accepted(api, once_job(wanted, once_job_name(wanted, "2"), copied(found), OURS))
    accepted(api, prune_job(wanted, ["default/x/once/x"], OURS, found.cluster))
    made = accepted(api, cron_job(wanted, copied(found), OURS, suspend=False))
    template = made["spec"]["jobTemplate"]
    run = {**template, "apiVersion": "batch/v1", "kind": "Job"}
    run["metadata"] = {**template["metadata"], "name": f"{made['metadata']['name']}-29384756"}
    accepted(api, run)


def test_many_keys_fit_into_one_job(api: Api) -> None:
    keys = [f"default/{'x' * 250}/schedule/{'p' * 58}-{n:05}" for n in range(50)]
    accepted(api, prune_job(backup("x" * 250), keys, OURS, None))


@pytest.mark.parametrize("own", CLUSTERS)
@pytest.mark.parametrize("spec", SPECS)
def test_what_is_there_is_as_wanted_and_not_written_again(
    api_server: Any, namespace: str, monkeypatch: pytest.MonkeyPatch, spec: str, own: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    kube = connect()
    scheduled = {"mode": "schedule", "schedule": "@daily", **SPECS[spec]}
    wanted, found = backup(namespace=namespace, **scheduled), source(namespace, **CLUSTERS[own])
    (step,) = bring_objects(wanted, found, Seen(OURS)).plan
    stored = kube.apply(step.manifest, manager="backup")  # type: ignore[union-attr]
    assert bring_objects(wanted, found, Seen(OURS, cron_job=stored)).plan == ()
    again = kube.apply(step.manifest, manager="backup")  # type: ignore[union-attr]
    assert again["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]


def test_a_cron_job_that_is_held_back_takes_up_what_is_wanted_later(
    api_server: Any, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    kube = connect()
    wanted = backup(namespace=namespace, mode="schedule", schedule="@daily", target=S3)
    stored: Manifest | None = None
    for found in (source(namespace), NoSource("NoCluster", "gone"), source(namespace)):
        (step,) = bring_objects(wanted, found, Seen(OURS, cron_job=stored)).plan
        stored = kube.apply(step.manifest, manager="backup")  # type: ignore[union-attr]
        assert bring_objects(wanted, found, Seen(OURS, cron_job=stored)).plan == ()
        assert stored["spec"]["suspend"] is isinstance(found, NoSource)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        pytest.param({"timeZone": "Europe/Nowhere"}, "time zone", id="unknown-time-zone"),
        pytest.param({"schedule": "61 3 * * *"}, "61", id="minute-61"),
    ],
)
def test_what_a_schedule_cannot_be_is_refused_with_the_api_server_s_sentence(
    api_server: Any, namespace: str, monkeypatch: pytest.MonkeyPatch, spec: Any, says: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    wanted = backup(namespace=namespace, mode="schedule", **{"schedule": "@daily", **spec})
    (step,) = bring_objects(wanted, source(namespace), Seen(OURS)).plan
    with pytest.raises(Refused, match=says):
        connect().apply(step.manifest, manager="backup")  # type: ignore[union-attr]
