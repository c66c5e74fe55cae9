"""The Jobs and the status of a restore on the real API server: accepted as they are built."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.cluster import ZooKeeperCluster
from functions.api.restore import ZooKeeperRestore
from functions.manifests.installation import Installation
from functions.manifests.restore_job import Known, Place, Program, restore_job
from functions.planning.restores.decision import Limits
from functions.planning.restores.machine import Surroundings, plan_restore
from functions.planning.restores.seen import Seen
from functions.planning.steps import ApplyObject, WriteStatus
from tests.contract.test_crd_cluster import APPLY, Api
from tests.unit.planned import NOW

pytestmark = pytest.mark.contract

OURS = Installation("zookeeper-functions:1")
KEYS = {
    "accessKeySecret": {"name": "store", "key": "accessKey"},
    "secretKeySecret": {"name": "store", "key": "secretKey"},
}
SOURCES: dict[str, dict[str, Any]] = {
    "s3": {"s3": {"bucket": "b", "key": "a/b/once/c"}},
    "own-s3": {
        "s3": {"endpoint": "https://s3.example.com:9000", "bucket": "b", "key": "a/b/once/c",
               "caSecret": {"name": "ca", "key": "ca.crt"}, **KEYS},
    },
    "oss": {"oss": {"endpoint": "oss.example.com", "bucket": "b", "key": "a/b/once/c", **KEYS}},
}  # fmt: skip
CLUSTERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "log-volume": {"storage": {"log": {"size": "1Gi"}}, "config": {"dataDir": "/zk/data"}},
    "own-pods": {
        "pod": {"tolerations": [{"key": "zk", "operator": "Exists"}]},
        "imagePullSecrets": [{"name": "registry"}],
    },
}
NAMES = ["back", "a.b.c", "x" * 253, "a." * 100 + "z"]
RESTORES = "/apis/zookeeper.example.com/v1alpha1/namespaces/default/zookeeperrestores"


@pytest.fixture(scope="module")
def api(api_server: Any) -> Api:
    return Api(api_server.url, api_server.token, str(api_server.ca))


def restore(name: str = "back", **spec: Any) -> ZooKeeperRestore:
    given = {"source": SOURCES["s3"], "target": {"name": "zk"}, **spec}
    metadata = {"name": name, "namespace": "default", "uid": "uid-1", "generation": 1}
    return ZooKeeperRestore.parse({"metadata": metadata, "spec": given})


def place(is_beside: bool, **spec: Any) -> Place:
    metadata = {"name": "zk", "namespace": "default", "uid": "uid-2"}
    target = ZooKeeperCluster.parse({"metadata": metadata, "spec": spec})
    return Place(target, 2, ("uid-3", "uid-4"), is_beside)


def is_accepted(api: Api, manifest: Any) -> None:
    path = "/apis/batch/v1/namespaces/default/jobs?dryRun=All&fieldValidation=Strict"
    status, answer = api.send("POST", path, manifest)
    assert status == 201, answer["message"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("own", CLUSTERS)
def test_the_api_server_takes_every_job_as_it_is_built(api: Api, source: str, own: str) -> None:
    wanted = restore(source=SOURCES[source], image="mine:1")
    for program in Program:
        for is_beside in (True, False):
            where = place(is_beside, **CLUSTERS[own])
            is_accepted(api, restore_job(wanted, program, where, Known(7, True), OURS))


@pytest.mark.parametrize("name", NAMES)
def test_the_api_server_takes_every_name(api: Api, name: str) -> None:
    is_accepted(api, restore_job(restore(name), Program.STAGE, place(True), Known(), OURS))


def test_the_api_server_takes_what_a_restore_writes_about_itself(api: Api) -> None:
    made = restore()
    manifest = {
        "apiVersion": made.kind.api_version, "kind": made.kind.name,
        "metadata": {"name": "written", "namespace": "default"},
        "spec": {"source": SOURCES["s3"], "target": {"name": "zk"}},
    }  # fmt: skip
    assert api.send("POST", RESTORES, manifest)[0] == 201
    try:
        found = ZooKeeperRestore.parse(api.send("GET", f"{RESTORES}/written")[1])
        around = Surroundings(OURS, Limits())
        plan = plan_restore(found, Seen(missing="There is no such cluster."), around, NOW)
        (written,) = [step for step in plan if isinstance(step, WriteStatus)]
        path = f"{RESTORES}/written/status?fieldManager=restore&fieldValidation=Strict"
        status, answer = api.send("PATCH", path, written.manifest, APPLY)
        assert status == 200, answer["message"]
        assert answer["status"]["status"] == "pending"
        told = ZooKeeperRestore.parse(answer)
        again = plan_restore(told, Seen(missing="There is no such cluster."), around, NOW)
        assert not [step for step in again if isinstance(step, WriteStatus | ApplyObject)]
    finally:
        api.send("DELETE", f"{RESTORES}/written")
