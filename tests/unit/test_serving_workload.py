"""What a Knative Service becomes, and what its status says."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from local.serving import procfile, workload
from local.serving.status import service_status

SERVICE: dict[str, Any] = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "observe", "namespace": "n", "uid": "u", "generation": 2},
    "spec": {
        "template": {
            "metadata": {"annotations": {"autoscaling.knative.dev/min-scale": "2"}},
            "spec": {
                "serviceAccountName": "observe",
                "containerConcurrency": 8,
                "timeoutSeconds": 60,
                "containers": [
                    {"image": "zookeeper-functions:dev", "args": ["x"], "env": [{"name": "A"}]}
                ],
            },
        }
    },
}


def changed(**container: Any) -> dict[str, Any]:
    service = copy.deepcopy(SERVICE)
    service["spec"]["template"]["spec"]["containers"][0].update(container)
    return service


def pod_of(service: dict[str, Any], command: str | None = None) -> dict[str, Any]:
    pod: dict[str, Any] = workload.deployment(service, command)["spec"]["template"]["spec"]
    return pod


def test_the_procfile_names_the_command() -> None:
    container = pod_of(SERVICE, "functions-framework --target observe")["containers"][0]
    assert container["command"] == ["sh", "-c", "exec functions-framework --target observe"]
    assert "args" not in container


def test_without_a_procfile_line_the_services_own_command_runs() -> None:
    container = pod_of(changed(command=["python"]))["containers"][0]
    assert (container["command"], container["args"]) == (["python"], ["x"])


def test_the_container_gets_knatives_variables_port_and_probe() -> None:
    container = pod_of(SERVICE)["containers"][0]
    assert {one["name"]: one.get("value") for one in container["env"]} == {
        "A": None,
        "PORT": "8080",
        "K_SERVICE": "observe",
        "K_CONFIGURATION": "observe",
        "K_REVISION": "observe-00002",
    }
    assert container["name"] == "user-container"
    assert container["ports"][0]["containerPort"] == 8080
    assert container["readinessProbe"] == {"tcpSocket": {"port": 8080}, "periodSeconds": 1}


def test_a_probe_without_port_asks_the_serving_port() -> None:
    probe = {"httpGet": {"path": "/ready"}}
    service = changed(readinessProbe=probe, ports=[{"containerPort": 9000}])
    assert pod_of(service)["containers"][0]["readinessProbe"]["httpGet"] == {
        "path": "/ready",
        "port": 9000,
    }
    assert workload.service(service)["spec"]["ports"][0]["targetPort"] == 9000


def test_a_revisions_own_fields_do_not_reach_the_pod() -> None:
    pod = pod_of(SERVICE)
    assert set(workload.REVISION_FIELDS).isdisjoint(pod)
    assert pod["serviceAccountName"] == "observe"
    assert pod["terminationGracePeriodSeconds"] == 60


def test_both_objects_are_owned_and_find_the_same_pods() -> None:
    deployment, service = workload.deployment(SERVICE, None), workload.service(SERVICE)
    for made in (deployment, service):
        assert made["metadata"]["ownerReferences"][0]["uid"] == "u"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize(("scale", "replicas"), [("0", 1), ("1", 1), ("3", 3)])
def test_at_least_one_pod_runs(scale: str, replicas: int) -> None:
    service = copy.deepcopy(SERVICE)
    service["spec"]["template"]["metadata"]["annotations"][workload.MIN_SCALE] = scale
    assert workload.replicas(service) == replicas


def test_building_leaves_the_service_as_it_is() -> None:
    before = copy.deepcopy(SERVICE)
    workload.deployment(SERVICE, "x")
    assert before == SERVICE


def deployment(updated: int, available: int, **status: Any) -> dict[str, Any]:
    made = workload.deployment(SERVICE, None)
    made["metadata"]["generation"] = 1
    counts = {"updatedReplicas": updated, "availableReplicas": available}
    return {**made, "status": {"observedGeneration": 1, **counts, **status}}


def conditions(status: dict[str, Any]) -> dict[str, str]:
    return {one["type"]: one["status"] for one in status["conditions"]}


def test_a_service_is_ready_when_all_its_pods_are() -> None:
    status = service_status(SERVICE, deployment(2, 2), None)
    assert set(conditions(status).values()) == {"True"}
    assert status["latestReadyRevisionName"] == "observe-00002"
    assert status["address"]["url"] == status["url"] == "http://observe.n.svc.cluster.local"
    assert status["observedGeneration"] == 2


def test_the_revision_before_goes_on_serving_while_the_new_one_starts() -> None:
    before = {**SERVICE, "status": {"latestReadyRevisionName": "observe-00001"}}
    status = service_status(before, deployment(1, 2), None)
    assert conditions(status) == {
        "ConfigurationsReady": "Unknown",
        "Ready": "Unknown",
        "RoutesReady": "True",
    }
    assert status["latestReadyRevisionName"] == "observe-00001"


def test_a_deployment_that_makes_no_progress_fails_the_service() -> None:
    stuck = [{"type": "Progressing", "status": "False", "message": "too long"}]
    status = service_status(SERVICE, deployment(1, 0, conditions=stuck), None)
    assert conditions(status)["Ready"] == "False"
    assert "too long" in status["conditions"][1]["message"]


def test_an_old_deployment_says_nothing_about_a_new_revision() -> None:
    old = deployment(2, 2)
    old["spec"]["template"]["metadata"]["labels"][workload.REVISION_LABEL] = "observe-00001"
    assert conditions(service_status(SERVICE, old, None))["Ready"] == "Unknown"


def test_a_refused_service_says_why() -> None:
    status = service_status(SERVICE, None, "that will not do")
    assert conditions(status)["Ready"] == "False"
    assert status["conditions"][0]["message"] == "that will not do"


def test_an_unchanged_condition_keeps_its_time() -> None:
    old = [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
    status = service_status({**SERVICE, "status": {"conditions": old}}, deployment(2, 2), None)
    times = {one["type"]: one["lastTransitionTime"] for one in status["conditions"]}
    assert times["Ready"] == "2026-01-01T00:00:00Z"
    assert times["RoutesReady"] != "2026-01-01T00:00:00Z"


def test_a_procfile_is_read_line_by_line() -> None:
    assert procfile.parse("# functions\n\nscale: run --target scale\n") == {
        "scale": "run --target scale"
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [("scale", "line 1 is not"), ("scale:", "line 1"), ("a: x\na: y", "line 2 names a a second")],
)
def test_a_bad_procfile_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(procfile.BadProcfile, match=message):
        procfile.parse(text)
