"""The CRDs of ZooKeeperBackup and ZooKeeperRestore on a real API server, and their models.

The API server prices every rule when it takes a CRD: that it takes ours is the test of their costs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from functions.api.backup import ZooKeeperBackup
from functions.api.crd import crd_manifest
from functions.api.errors import InvalidSpec
from functions.api.kinds import BACKUP, RESTORE, Kind
from functions.api.restore import ZooKeeperRestore
from tests.contract.test_crd_cluster import APPLY, CRDS, SERVED_SECONDS, Api, table

pytestmark = pytest.mark.contract

Manifest = dict[str, Any]
HERE = Path(__file__).parent
KINDS: dict[str, Kind] = {"backup": BACKUP, "restore": RESTORE}
MODELS: dict[str, type[ZooKeeperBackup | ZooKeeperRestore]] = {
    "backup": ZooKeeperBackup,
    "restore": ZooKeeperRestore,
}
LEAST: dict[str, Manifest] = {
    "backup": {"source": {"name": "zk"}, "target": {"s3": {"bucket": "b"}}},
    "restore": {
        "source": {"s3": {"bucket": "b", "key": "default/test/once/backup-test-jw7dc"}},
        "target": {"name": "zk"},
    },
}
STRICT = "?dryRun=All&fieldValidation=Strict"


@pytest.fixture(scope="module")
def api(api_server: Any) -> Api:
    talk = Api(api_server.url, api_server.token, str(api_server.ca))
    for kind in KINDS.values():
        crd = crd_manifest(kind)
        path = f"{CRDS}/{crd['metadata']['name']}?fieldManager=test&force=true"
        status, answer = talk.send("PATCH", path, crd, APPLY)
        assert status in (200, 201), answer["message"]
    deadline = time.monotonic() + SERVED_SECONDS
    for name in KINDS:
        while create(talk, name, LEAST[name])[0] != 201:
            assert time.monotonic() < deadline, "the API server does not serve the CRD"
    return talk


def manifest(kind: str, spec: Mapping[str, Any], name: str = "test") -> Manifest:
    found = KINDS[kind]
    metadata = {"name": name, "namespace": "default"}
    return {
        "apiVersion": found.api_version, "kind": found.name, "metadata": metadata,
        "spec": dict(spec),
    }  # fmt: skip


def changed(kind: str, change: Mapping[str, Any]) -> Manifest:
    both = {**LEAST[kind], **change}
    return {key: value for key, value in both.items() if value is not None}


def folder(kind: str) -> str:
    found = KINDS[kind]
    return f"/apis/{found.api_version}/namespaces/default/{found.plural}"


def create(api: Api, kind: str, spec: Mapping[str, Any]) -> tuple[int, Manifest]:
    return api.send("POST", folder(kind) + STRICT, manifest(kind, spec))


@pytest.mark.parametrize("row", table("refused_backups.yaml"))
def test_a_bad_spec_is_refused_with_a_sentence(api: Api, row: Manifest) -> None:
    """Guards against C14: a missing source or target is accepted and stops the manager."""
    status, answer = create(api, row["kind"], changed(row["kind"], row["change"]))
    assert status in (400, 422), answer
    assert row["says"] in answer["message"]


@pytest.mark.parametrize("row", table("refused_backups.yaml"))
def test_the_models_refuse_the_same(row: Manifest) -> None:
    spec = changed(row["kind"], row["change"])
    with pytest.raises(InvalidSpec):
        MODELS[row["kind"]].parse(manifest(row["kind"], spec))


@pytest.mark.parametrize("row", table("accepted_backups.yaml"))
def test_a_good_spec_is_accepted_and_both_sides_fill_in_the_same(api: Api, row: Manifest) -> None:
    spec = changed(row["kind"], row["change"])
    status, stored = create(api, row["kind"], spec)
    assert status == 201, stored["message"]
    model = MODELS[row["kind"]]
    assert model.parse(stored).spec == model.parse(manifest(row["kind"], spec)).spec


@pytest.mark.parametrize("row", table("changed_backups.yaml"))
def test_a_change_is_refused_where_it_would_lose_what_is_there(api: Api, row: Manifest) -> None:
    kind, name = row["kind"], f"changed-{uuid4().hex[:8]}"
    before = manifest(kind, changed(kind, row["before"]), name)
    status, stored = api.send("POST", folder(kind), before)
    assert status == 201, stored
    after = manifest(kind, changed(kind, row["after"]), name)
    after["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
    path = f"{folder(kind)}/{name}"
    status, answer = api.send("PUT", path + STRICT, after)
    api.send("DELETE", path)
    assert status == (422 if "says" in row else 200), answer
    assert row.get("says", "") in answer.get("message", "")


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(found, id=f"{found['kind']}-{found['metadata']['name']}")
        for found in yaml.safe_load_all((HERE / "seed_backups.yaml").read_text())
    ],
)
def test_manifests_of_the_seed_system_apply_unchanged(api: Api, seed: Manifest) -> None:
    kind = seed["kind"].removeprefix("ZooKeeper").lower()
    status, answer = api.send("POST", folder(kind) + STRICT, seed)
    assert status == 201, answer["message"]
    assert MODELS[kind].parse(answer).spec == MODELS[kind].parse(seed).spec


def test_the_whole_status_of_a_backup_is_taken(api: Api) -> None:
    name = f"told-{uuid4().hex[:8]}"
    status, stored = api.send("POST", folder("backup"), manifest("backup", LEAST["backup"], name))
    assert status == 201, stored
    now = "2026-01-01T00:00:00Z"
    told = {
        "status": "completed", "message": "m", "progress": "1 of 2 bytes (copying)",
        "server": "zk-1", "lastSuccess": now, "failures": 1, "observedGeneration": 1,
        "record": [{
            "key": "default/test/once/p", "startTime": now, "finishTime": now, "size": 1 << 40,
            "zxid": "0x1", "server": "zk-1", "version": "3.9.5", "checksum": "0" * 64,
            "verified": True, "message": "m",
        }],
        "conditions": [{
            "type": "Completed", "status": "True", "reason": "BackupComplete", "message": "m",
            "lastTransitionTime": now, "observedGeneration": 1,
        }],
    }  # fmt: skip
    path = f"{folder('backup')}/{name}"
    query = "/status?fieldManager=backup&fieldValidation=Strict"
    applied = {**manifest("backup", {}, name), "status": told}
    del applied["spec"]
    status, answer = api.send("PATCH", path + query, applied, APPLY)
    api.send("DELETE", path)
    assert status == 200, answer["message"]
    assert answer["status"] == told
