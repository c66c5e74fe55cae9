"""The Jobs that work on a store: their names, what they may do, where they run, what they know."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.api.backup import ZooKeeperBackup
from functions.api.location import Location
from functions.api.manifest import Manifest
from functions.manifests.installation import Installation
from functions.manifests.job_names import job_name, label_value
from functions.manifests.store_environment import variable
from functions.manifests.store_job import StoreProgram, Volumes, store_image, store_job
from tests.unit.planned import cluster

OURS = Installation("zookeeper-functions:1")
OSS = {
    "endpoint": "https://oss-cn-hangzhou.aliyuncs.com", "bucket": "b",
    "accessKeySecret": {"name": "keys", "key": "id"},
    "secretKeySecret": {"name": "keys", "key": "secret"},
}  # fmt: skip
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,70}[a-z0-9])?(\.[a-z0-9]{1,9}){0,2}", fullmatch=True)


def backup(name: str = "nightly", **spec: Any) -> ZooKeeperBackup:
    given = {"source": {"name": "zk"}, "target": {"oss": OSS}, **spec}
    metadata = {"name": name, "namespace": "apps", "uid": "uid-of-nightly", "generation": 1}
    return ZooKeeperBackup.parse({"metadata": metadata, "spec": given})


def job(
    *, volumes: Volumes | None = None, target: dict[str, Any] | None = None, image: str = ""
) -> Manifest:
    program = StoreProgram(
        "copy_out", image, (variable("CLUSTER", "zk"),), timedelta(hours=6),
        location=Location.model_validate(target or {"oss": OSS}),
        cluster=volumes.cluster if volumes else None, volumes=volumes,
    )  # fmt: skip
    return store_job(backup(), "backup-nightly", program, OURS)


def pod_of(found: Manifest) -> Manifest:
    spec: Manifest = found["spec"]["template"]["spec"]
    return spec


def env_of(found: Manifest) -> dict[str, Any]:
    (container,) = pod_of(found)["containers"]
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("test", r"backup-test", id="the seed system's own"),
        pytest.param("a.b", r"backup-a-b-[0-9a-f]{10}", id="dots"),
        pytest.param("x" * 80, r"backup-x{34}-[0-9a-f]{10}", id="long"),
        pytest.param("x" * 45, r"backup-x{45}", id="just short enough"),
        pytest.param("x-29384756", r"backup-x-29384756-[0-9a-f]{10}", id="like a run of a CronJob"),
        pytest.param("x-0123456789", r"backup-x-0123456789-[0-9a-f]{10}", id="like a hashed one"),
    ],
)
def test_a_job_is_called_after_its_backup(name: str, expected: str) -> None:
    assert re.fullmatch(expected, job_name("backup", name))


@given(name=NAMES, other=NAMES, generation=st.integers(1, 9))
def test_no_two_jobs_have_one_name_and_every_name_is_legal(
    name: str, other: str, generation: int
) -> None:
    made = {
        key: job_name(*key)
        for key in (
            ("backup", name), ("backup", other), ("prune", name), ("backup", name, str(generation)),
            ("backup", f"{name}-29384756"),
        )
    }  # fmt: skip
    minute = f"{made['backup', name]}-29384756"
    assert len({*made.values(), minute}) == len(made) + 1
    for each in made.values():
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", each)
        assert len(each) <= 52


@given(name=st.from_regex(r"[a-z0-9]([-.a-z0-9]{0,200}[a-z0-9])?", fullmatch=True))
@example(name="a." * 100 + "z")
def test_a_label_takes_every_name(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", label_value(name))


def test_a_pod_has_no_rights_and_writes_nowhere_but_where_it_must() -> None:
    pod = pod_of(job())
    (container,) = pod["containers"]
    assert not pod["automountServiceAccountToken"]
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 1000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert [m["name"] for m in container["volumeMounts"] if not m.get("readOnly")] == ["scratch"]


def test_a_pod_runs_as_its_cluster_s_servers_do() -> None:
    own = cluster(pod={"securityContext": {"runAsUser": 999, "fsGroup": 999}})
    security = pod_of(job(volumes=Volumes(own, 0, is_read_only=False, is_beside=True)))
    assert security["securityContext"]["runAsUser"] == 999


def test_credentials_are_named_and_never_shown() -> None:
    env = env_of(job())
    assert env["ACCESS_KEY"] == {"secretKeyRef": {"name": "keys", "key": "id", "optional": False}}
    assert env["SECRET_KEY"] == {
        "secretKeyRef": {"name": "keys", "key": "secret", "optional": False}
    }


def test_without_secrets_the_surroundings_of_the_pod_give_the_credentials() -> None:
    env = env_of(job(target={"s3": {"bucket": "b", "createBucketIfNotPresent": True}}))
    assert "ACCESS_KEY" not in env
    assert (env["STORE"], env["ENDPOINT"], env["PATH_STYLE"]) == ("s3", "", "false")
    assert env["CREATE_BUCKET"] == "true"


@pytest.mark.parametrize(
    ("s3", "expected"),
    [
        pytest.param({"bucket": "b"}, "false", id="Amazon"),
        pytest.param({"bucket": "b", "endpoint": "minio:9000"}, "true", id="an own store"),
        pytest.param({"bucket": "b", "endpoint": "e", "pathStyle": False}, "false", id="as asked"),
    ],
)
def test_the_bucket_is_put_where_the_store_looks_for_it(s3: dict[str, Any], expected: str) -> None:
    assert env_of(job(target={"s3": s3}))["PATH_STYLE"] == expected


def test_a_certificate_authority_comes_as_a_file() -> None:
    found = job(target={"oss": {**OSS, "caSecret": {"name": "ca", "key": "ca.crt"}}})
    (mount,) = [m for m in pod_of(found)["containers"][0]["volumeMounts"] if m.get("readOnly")]
    (volume,) = [v for v in pod_of(found)["volumes"] if v["name"] == mount["name"]]
    assert volume["secret"]["items"] == [{"key": "ca.crt", "path": "ca.pem"}]
    assert env_of(found)["CA_FILE"] == f"{mount['mountPath']}/ca.pem"


def test_volumes_are_mounted_where_the_server_has_them_beside_it() -> None:
    """Guards against C1 and C21: a path that is not the data, a volume that cannot be reached."""
    own = cluster(config={"dataDir": "/zk"}, storage={"log": {"size": "1Gi"}})
    pod = pod_of(job(volumes=Volumes(own, 1, is_read_only=True, is_beside=True)))
    claims = {v["name"]: v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"][:2]}
    mounts = pod["containers"][0]["volumeMounts"]
    assert claims == {"data": "data-zk-1", "datalog": "datalog-zk-1"}
    assert [(m["mountPath"], m["readOnly"]) for m in mounts[:2]] == [
        ("/zk", True),
        ("/datalog", True),
    ]
    (term,) = pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["labelSelector"] == {"matchLabels": {"statefulset.kubernetes.io/pod-name": "zk-1"}}


def test_without_a_running_server_the_volume_alone_says_where() -> None:
    volumes = Volumes(cluster(), 1, is_read_only=True, is_beside=False)
    assert "affinity" not in pod_of(job(volumes=volumes))


def test_a_pod_runs_where_the_servers_may() -> None:
    own = cluster(
        pod={"tolerations": [{"key": "zookeeper", "operator": "Exists"}]},
        imagePullSecrets=[{"name": "registry"}],
    )
    pod = pod_of(job(volumes=Volumes(own, 0, is_read_only=True, is_beside=True)))
    assert pod["tolerations"] == [{"key": "zookeeper", "operator": "Exists"}]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_what_cannot_succeed_ends_the_job_and_a_drain_is_no_failure() -> None:
    final, disrupted = job()["spec"]["podFailurePolicy"]["rules"]
    assert (final["action"], final["onExitCodes"]["values"]) == ("FailJob", [2])
    assert disrupted["action"] == "Ignore"
    assert final["onExitCodes"]["containerName"] == pod_of(job())["containers"][0]["name"]
    assert job()["spec"]["backoffLimit"] == 2


def test_the_program_s_own_deadline_comes_before_the_job_s() -> None:
    assert int(env_of(job())["TIMEOUT_SECONDS"]) < job()["spec"]["activeDeadlineSeconds"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(None, "zookeeper-functions:1", id="none"),
        pytest.param("mine:2", "mine:2", id="an own one"),
        pytest.param("go2sheep/zk-helper:10cc9d8", "zookeeper-functions:1", id="the seed system's"),
    ],
)
def test_the_image_is_ours_unless_the_spec_has_another(asked: str | None, expected: str) -> None:
    assert store_image(asked, OURS) == expected


def test_a_job_is_found_by_the_seed_system_s_labels_and_watched() -> None:
    labels = job()["metadata"]["labels"]
    assert (labels["operator"], labels["instance"]) == ("zookeeper-backup", "nightly")
    assert labels["app.kubernetes.io/managed-by"] == "zookeeper-functions"
    assert "app.kubernetes.io/managed-by" not in job()["spec"]["template"]["metadata"]["labels"]


def test_a_dollar_in_a_value_is_not_taken_for_a_variable() -> None:
    assert variable("A", "$(B)")["value"] == "$$(B)"
