"""What Knative Serving refuses of a Service, in its words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from local.eventing.admission import admission_error

SERVICE = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "observe", "namespace": "n"},
    "spec": {"template": {"spec": {"containers": [{"image": "zookeeper-functions:dev"}]}}},
}


def service(
    *,
    pod: dict[str, Any] | None = None,
    container: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return the smallest Service with some fields more."""
    made: dict[str, Any] = copy.deepcopy(SERVICE)
    template = made["spec"]["template"]
    template["spec"].update(pod or {})
    template["spec"]["containers"][0].update(container or {})
    template["metadata"] = {"annotations": annotations or {}}
    return made


def test_a_plain_service_is_accepted() -> None:
    assert admission_error(SERVICE) is None


@pytest.mark.parametrize(
    "accepted",
    [
        service(annotations={"autoscaling.knative.dev/min-scale": "1"}),
        service(pod={"containerConcurrency": 8, "timeoutSeconds": 60, "serviceAccountName": "a"}),
        service(pod={"volumes": [{"name": "v", "emptyDir": {}}]}),
        service(container={"env": [{"name": "A", "valueFrom": {"secretKeyRef": {}}}]}),
        service(container={"ports": [{"containerPort": 9000}]}),
    ],
)
def test_what_serving_knows_is_accepted(accepted: dict[str, Any]) -> None:
    assert admission_error(accepted) is None


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        pytest.param(
            service(pod={"initContainers": [{"image": "x"}]}),
            "must not set the field(s): spec.template.spec.initContainers",
            id="init-containers",
        ),
        pytest.param(
            service(pod={"nodeSelector": {"a": "b"}}),
            "must not set the field(s): spec.template.spec.nodeSelector",
            id="node-selector",
        ),
        pytest.param(
            service(pod={"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}),
            "must not set the field(s): spec.template.spec.volumes[0].persistentVolumeClaim",
            id="claim",
        ),
        pytest.param(
            service(container={"env": [{"name": "N", "valueFrom": {"fieldRef": {}}}]}),
            "must not set the field(s): spec.template.spec.containers[0].env[0].valueFrom.fieldRef",
            id="downward-api",
        ),
        pytest.param(
            service(container={"env": [{"name": "PORT", "value": "1"}]}),
            '"PORT" is a reserved environment variable: '
            "spec.template.spec.containers[0].env[0].name",
            id="reserved-variable",
        ),
        pytest.param(
            service(container={"lifecycle": {}}),
            "must not set the field(s): spec.template.spec.containers[0].lifecycle",
            id="lifecycle",
        ),
        pytest.param(
            service(pod={"timeoutSeconds": 900}),
            "expected 0 <= 900 <= 600: spec.template.spec.timeoutSeconds",
            id="too-long",
        ),
        pytest.param(
            service(annotations={"autoscaling.knative.dev/min-scale": "one"}),
            "invalid value: one: autoscaling.knative.dev/min-scale",
            id="scale-is-no-number",
        ),
        pytest.param(
            service(
                annotations={
                    "autoscaling.knative.dev/min-scale": "3",
                    "autoscaling.knative.dev/max-scale": "2",
                }
            ),
            "max-scale=2 is less than min-scale=3: "
            "autoscaling.knative.dev/max-scale, autoscaling.knative.dev/min-scale",
            id="scales-the-wrong-way-round",
        ),
        pytest.param(
            service(container={"image": ""}),
            "missing field(s): spec.template.spec.containers[0].image",
            id="no-image",
        ),
    ],
)
def test_what_serving_refuses_is_refused(manifest: dict[str, Any], message: str) -> None:
    assert admission_error(manifest) == f"validation failed: {message}"


def test_scaling_annotations_on_the_service_itself_are_refused() -> None:
    manifest = service()
    manifest["metadata"]["annotations"] = {"autoscaling.knative.dev/min-scale": "1"}
    error = admission_error(manifest)
    assert error is not None
    assert "autoscaling annotations must be put under" in error


def test_a_misspelt_field_is_refused_by_the_schema() -> None:
    error = admission_error(service(pod={"serviceAccount": "a"}))
    assert error == 'strict decoding error: unknown field "spec.template.spec.serviceAccount"'
