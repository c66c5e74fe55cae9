"""The CRD of ZooKeeperCluster on a real API server: what it refuses, with which sentence."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import urllib3
import yaml

from functions.api.cluster import ZooKeeperCluster
from functions.api.crd import crd_manifest
from functions.api.kinds import CLUSTER

pytestmark = pytest.mark.contract

Manifest = dict[str, Any]
ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CLUSTERS = f"/apis/{CLUSTER.api_version}/namespaces/{{}}/{CLUSTER.plural}"
SERVED_SECONDS = 30.0
APPLY = "application/apply-patch+yaml"


def table(name: str) -> list[Any]:
    rows = yaml.safe_load((HERE / name).read_text())
    return [pytest.param(row, id=row["id"]) for row in rows]


class Api:
    """The API server as a test talks to it: strict, like kubectl."""

    def __init__(self, url: str, token: str, ca: str) -> None:
        self._url = url
        self._http = urllib3.PoolManager(
            ca_certs=ca, timeout=20.0, retries=False, headers={"Authorization": f"Bearer {token}"}
        )

    def send(
        self, method: str, path: str, body: Manifest | None = None, content: str = ""
    ) -> tuple[int, Manifest]:
        answer = self._http.request(
            method,
            self._url + path,
            body=None if body is None else json.dumps(body),
            headers={
                **self._http.headers,
                "Content-Type": content or "application/json",
            },
        )
        return answer.status, json.loads(answer.data)

    def create(self, manifest: Manifest, namespace: str = "default") -> tuple[int, Manifest]:
        path = CLUSTERS.format(namespace) + "?dryRun=All&fieldValidation=Strict"
        return self.send("POST", path, manifest)

    def change(self, before: Manifest, after: Manifest) -> tuple[int, Manifest]:
        """Store `before` and try `after` on it, without storing that."""
        folder = CLUSTERS.format("default")
        status, stored = self.send("POST", folder, before)
        assert status == 201, stored
        path = f"{folder}/{before['metadata']['name']}"
        metadata = {**after["metadata"], "resourceVersion": stored["metadata"]["resourceVersion"]}
        try:
            query = "?dryRun=All&fieldValidation=Strict"
            return self.send("PUT", path + query, {**after, "metadata": metadata})
        finally:
            self.send("DELETE", path)


@pytest.fixture(scope="session")
def api(api_server: Any) -> Api:
    """An API server with our CRD, served."""
    talk = Api(api_server.url, api_server.token, str(api_server.ca))
    crd = crd_manifest()
    path = f"{CRDS}/{crd['metadata']['name']}"
    status, answer = talk.send("PATCH", path + "?fieldManager=test&force=true", crd, APPLY)
    assert status in (200, 201), answer["message"]
    wait_until_served(talk)
    return talk


def wait_until_served(talk: Api) -> None:
    """Wait for a CRD that was only just stored."""
    deadline = time.monotonic() + SERVED_SECONDS
    while talk.create(cluster({}))[0] != 201:
        assert time.monotonic() < deadline, "the API server does not serve the CRD"


def cluster(spec: Mapping[str, Any], name: str = "zk") -> Manifest:
    return {
        "apiVersion": CLUSTER.api_version,
        "kind": CLUSTER.name,
        "metadata": {"name": name},
        "spec": dict(spec),
    }


def fresh() -> str:
    return f"zk-{uuid4().hex[:8]}"


@pytest.mark.parametrize("row", table("refused_clusters.yaml"))
def test_a_bad_spec_is_refused_with_a_sentence(api: Api, row: Manifest) -> None:
    status, answer = api.create(cluster(row["spec"]))
    assert status in (400, 422), answer
    assert row["says"] in answer["message"]


@pytest.mark.parametrize("row", table("accepted_clusters.yaml"))
def test_a_good_spec_is_accepted_and_both_sides_fill_in_the_same(api: Api, row: Manifest) -> None:
    status, stored = api.create(cluster(row["spec"]))
    assert status == 201, stored["message"]
    assert ZooKeeperCluster.parse(stored).spec == ZooKeeperCluster.parse(cluster(row["spec"])).spec


@pytest.mark.parametrize("row", table("refused_changes.yaml"))
def test_a_change_that_would_break_the_ensemble_is_refused(api: Api, row: Manifest) -> None:
    name = fresh()
    status, answer = api.change(cluster(row["before"], name), cluster(row["after"], name))
    assert status == 422, answer
    assert row["says"] in answer["message"]


@pytest.mark.parametrize("row", table("accepted_changes.yaml"))
def test_a_change_that_is_safe_is_accepted(api: Api, row: Manifest) -> None:
    name = fresh()
    status, answer = api.change(cluster(row["before"], name), cluster(row["after"], name))
    assert status == 200, answer["message"]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        pytest.param("z", 201, id="one-letter"),
        pytest.param("a" * 52, 201, id="as-long-as-can-be"),
        pytest.param("a" * 53, 422, id="too-long-for-a-label"),
        pytest.param("1st", 422, id="digit-first"),
        pytest.param("zoo.keeper", 422, id="with-a-dot"),
    ],
)
def test_a_name_must_fit_what_is_made_of_it(api: Api, name: str, status: int) -> None:
    answered, answer = api.create(cluster({}, name))
    assert answered == status
    assert status == 201 or "metadata.name must be at most 52 characters" in answer["message"]


def test_scaling_to_zero_is_refused_with_what_to_do_instead(api: Api) -> None:
    _, answer = api.create(cluster({"replicas": 0}))
    assert "set spec.stopped to true" in answer["message"]


def test_a_cluster_without_a_spec_is_refused(api: Api) -> None:
    manifest = cluster({})
    del manifest["spec"]
    status, answer = api.create(manifest)
    assert status == 422
    assert "spec: Required value" in answer["message"]


@pytest.mark.parametrize("path", sorted((ROOT / "config" / "samples").glob("cluster-*.yaml")))
def test_every_sample_is_accepted(api: Api, path: Path) -> None:
    for manifest in yaml.safe_load_all(path.read_text()):
        status, answer = api.create(manifest)
        assert status == 201, answer["message"]


def test_a_seed_manifest_applies_unchanged_in_any_namespace(api: Api) -> None:
    manifest = yaml.safe_load((HERE / "seed_cluster.yaml").read_text())
    namespace = fresh()
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    assert api.send("POST", "/api/v1/namespaces", space)[0] == 201
    status, answer = api.create(manifest, namespace)
    assert status == 201, answer["message"]
    wanted = manifest["spec"]
    config = {**answer["spec"]["config"], **wanted["config"]}
    assert answer["spec"] == {**answer["spec"], **wanted, "config": config}


def test_scaling_goes_through_the_scale_subresource(api: Api) -> None:
    name = fresh()
    path = f"{CLUSTERS.format('default')}/{name}"
    assert api.send("POST", CLUSTERS.format("default"), cluster({}, name))[0] == 201
    try:
        patch = {"spec": {"replicas": 5}}
        status, scale = api.send("PATCH", f"{path}/scale", patch, "application/merge-patch+json")
        assert status == 200, scale
        assert scale["spec"]["replicas"] == 5
        assert api.send("GET", path)[1]["spec"]["replicas"] == 5
    finally:
        api.send("DELETE", path)


def status_of(name: str, **fields: Any) -> Manifest:
    manifest = cluster({}, name)
    del manifest["spec"]
    return {**manifest, "status": fields}


def apply_status(api: Api, manager: str, manifest: Manifest) -> tuple[int, Manifest]:
    path = f"{CLUSTERS.format('default')}/{manifest['metadata']['name']}/status"
    query = f"?fieldManager={manager}&fieldValidation=Strict"
    return api.send("PATCH", path + query, manifest, APPLY)


def test_two_functions_keep_their_own_conditions_and_an_operation_is_one_value(api: Api) -> None:
    name = fresh()
    folder = CLUSTERS.format("default")
    assert api.send("POST", folder, cluster({}, name))[0] == 201
    try:
        scaled = {"type": "Scaled", "status": "True", "reason": "AsWanted"}
        operation = {"type": "Scale", "target": "5", "serverId": 4}
        status, answer = apply_status(
            api, "scale", status_of(name, conditions=[scaled], operation=operation)
        )
        assert status == 200, answer
        seen = {"type": "Available", "status": "True", "reason": "Quorum"}
        servers = [{"name": f"{name}-0", "myId": "1", "mode": "leader", "ready": "true"}]
        status, answer = apply_status(
            api, "observe", status_of(name, conditions=[seen], servers=servers, leader=f"{name}-0")
        )
        assert status == 200, answer
        assert {entry["type"] for entry in answer["status"]["conditions"]} == {
            "Scaled",
            "Available",
        }
        status, answer = apply_status(api, "roll", status_of(name, operation={"type": "Roll"}))
        assert status == 409, "another manager took the operation without a conflict"
    finally:
        api.send("DELETE", f"{folder}/{name}")
