"""The serving part as a process against a real API server: Deployment, Service and status.

No controller manager runs here, so the test says itself that the Deployment became available.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.contract.api_server import ApiServer
from tests.contract.eventing_server import REPOSITORY, manifest
from tests.contract.processes import running, until

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def procfile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("serving") / "Procfile"
    path.write_text("observe: run --target observe\n")
    return path


@pytest.fixture(scope="module")
def serving(api_server: ApiServer, procfile: Path) -> Iterator[ApiServer]:
    command = [
        *(sys.executable, "-m", "local.serving"),
        f"--kubeconfig={api_server.kubeconfig}",
        f"--procfile={procfile}",
    ]
    log = procfile.with_name("serving.log")
    with running(command, log, cwd=REPOSITORY):
        until(lambda: "following" in log.read_text(), f"serving is up (see {log})")
        yield api_server


def _create(api: ApiServer, namespace: str, name: str, **pod: Any) -> str:
    """Create a Knative Service; return its path."""
    path = f"/apis/serving.knative.dev/v1/namespaces/{namespace}/services"
    spec = {"template": {"spec": {"containers": [{"image": "x:1"}], **pod}}}
    api.call("POST", path, manifest("serving", "Service", {"name": name}, spec))
    return f"{path}/{name}"


def _found(api: ApiServer, path: str) -> dict[str, Any] | None:
    status, found = api.ask("GET", path)
    return found if status == 200 else None


def _deployment(namespace: str, name: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"


def _conditions(api: ApiServer, path: str) -> Mapping[str, str]:
    status = api.call("GET", path).get("status") or {}
    return {one["type"]: one["status"] for one in status.get("conditions") or []}


def test_a_service_runs_its_procfile_line_and_gets_ready_with_its_deployment(
    serving: ApiServer, namespace: str
) -> None:
    path = _create(serving, namespace, "observe", serviceAccountName="observe")
    where = _deployment(namespace, "observe")
    deployment = until(lambda: _found(serving, where), "the Deployment is made")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["containers"][0]["command"] == ["sh", "-c", "exec run --target observe"]
    assert pod["serviceAccountName"] == "observe"
    service = serving.call("GET", f"/api/v1/namespaces/{namespace}/services/observe")
    assert service["spec"]["ports"][0]["port"] == 80
    until(lambda: _conditions(serving, path).get("Ready") == "Unknown", "it is not Ready yet")
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    deployment["status"] = {"observedGeneration": deployment["metadata"]["generation"], **counts}
    serving.call("PUT", f"{where}/status", deployment)
    until(lambda: _conditions(serving, path).get("Ready") == "True", "it is Ready")
    address = serving.call("GET", path)["status"]["address"]["url"]
    assert address == f"http://observe.{namespace}.svc.cluster.local"


def test_what_somebody_deletes_or_changes_is_put_back(serving: ApiServer, namespace: str) -> None:
    _create(serving, namespace, "scale")
    where, name = _deployment(namespace, "scale"), f"/api/v1/namespaces/{namespace}/services/scale"
    first = until(lambda: _found(serving, where), "the Deployment is made")
    serving.call("PUT", where, {**first, "spec": {**first["spec"], "replicas": 5}})
    until(lambda: serving.call("GET", where)["spec"]["replicas"] == 1, "the scale is put back")
    serving.call("DELETE", name)
    until(lambda: _found(serving, name), "the Service is made again")


def test_a_deployment_of_somebody_else_is_left_alone(serving: ApiServer, namespace: str) -> None:
    labels = {"app": "theirs"}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "c", "image": "theirs"}]},
        },
    }
    collection = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    serving.call("POST", collection, {"metadata": {"name": "taken"}, "spec": spec})
    path = _create(serving, namespace, "taken")
    until(lambda: _conditions(serving, path).get("Ready") == "False", "it says that it cannot")
    assert "we do not own" in serving.call("GET", path)["status"]["conditions"][0]["message"]
    container = serving.call("GET", f"{collection}/taken")["spec"]["template"]["spec"]["containers"]
    assert container[0]["image"] == "theirs"
