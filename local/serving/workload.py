"""Pure builders: a Knative Service -> the Deployment and the Service that run it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

DEFAULT_PORT = 8080
DEFAULT_TIMEOUT_SECONDS = 300
SERVICE_LABEL = "serving.knative.dev/service"
REVISION_LABEL = "serving.knative.dev/revision"
MIN_SCALE = "autoscaling.knative.dev/min-scale"
# Knative's own fields of a revision; a pod does not have them.
REVISION_FIELDS = (
    "containerConcurrency",
    "timeoutSeconds",
    "responseStartTimeoutSeconds",
    "idleTimeoutSeconds",
)


def revision_name(service: Mapping[str, Any]) -> str:
    return f"{service['metadata']['name']}-{service['metadata']['generation']:05d}"


def url(service: Mapping[str, Any]) -> str:
    meta = service["metadata"]
    return f"http://{meta['name']}.{meta['namespace']}.svc.cluster.local"


def replicas(service: Mapping[str, Any]) -> int:
    """At least one: nothing here starts a function when a request comes."""
    annotations = service["spec"]["template"].get("metadata", {}).get("annotations") or {}
    return max(1, int(annotations.get(MIN_SCALE, "0")))


def deployment(service: Mapping[str, Any], command: str | None) -> Object:
    """Return the Deployment; `command` is the Procfile's line for it, if there is one."""
    template = service["spec"]["template"]
    given = template.get("metadata") or {}
    labels = {**(given.get("labels") or {}), **_labels(service)}
    labels[REVISION_LABEL] = revision_name(service)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(service),
        "spec": {
            "replicas": replicas(service),
            "selector": {"matchLabels": _labels(service)},
            # A new revision takes over only once it answers.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {
                "metadata": {"labels": labels, "annotations": given.get("annotations") or {}},
                "spec": _pod_spec(service, template["spec"], command),
            },
        },
    }


def service(service: Mapping[str, Any]) -> Object:
    """Return the Service that gives the function its name and port 80."""
    port = _port(_serving_container(service["spec"]["template"]["spec"]["containers"]))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(service),
        "spec": {
            "selector": _labels(service),
            "ports": [{"name": "http", "port": 80, "targetPort": port, "protocol": "TCP"}],
        },
    }


def _pod_spec(service: Mapping[str, Any], spec: Mapping[str, Any], command: str | None) -> Object:
    pod = {name: copy.deepcopy(value) for name, value in spec.items()}
    for name in REVISION_FIELDS:
        pod.pop(name, None)
    main = _serving_container(pod["containers"])
    for index, container in enumerate(pod["containers"]):
        container.setdefault("name", "user-container" if container is main else f"sidecar-{index}")
    _complete(main, service)
    if command is not None:
        main["command"] = ["sh", "-c", f"exec {command}"]
        main.pop("args", None)
    pod["enableServiceLinks"] = False
    pod["terminationGracePeriodSeconds"] = spec.get("timeoutSeconds", DEFAULT_TIMEOUT_SECONDS)
    return pod


def _complete(container: Object, service: Mapping[str, Any]) -> None:
    """Add what Knative adds to the container that serves: its port, variables and probe."""
    port = _port(container)
    name = service["metadata"]["name"]
    container["ports"] = [{"name": "user-port", "containerPort": port, "protocol": "TCP"}]
    container["env"] = [
        *(container.get("env") or []),
        {"name": "PORT", "value": str(port)},
        {"name": "K_REVISION", "value": revision_name(service)},
        {"name": "K_CONFIGURATION", "value": name},
        {"name": "K_SERVICE", "value": name},
    ]
    probe = container.setdefault("readinessProbe", {})
    if not any(kind in probe for kind in ("httpGet", "tcpSocket", "exec", "grpc")):
        probe["tcpSocket"] = {"port": port}
    for kind in ("readinessProbe", "livenessProbe", "startupProbe"):
        for way in ("httpGet", "tcpSocket", "grpc"):
            if way in (container.get(kind) or {}) and not container[kind][way].get("port"):
                container[kind][way]["port"] = port
    # Knative probes at once and often; Kubernetes' shortest period is a second.
    if not probe.get("periodSeconds"):
        probe["periodSeconds"] = 1


def _serving_container(containers: list[Any]) -> Any:
    """The only container, or the one among several that names a port."""
    return next((one for one in containers if one.get("ports")), containers[0])


def _port(container: Mapping[str, Any]) -> int:
    ports = container.get("ports") or [{}]
    return int(ports[0].get("containerPort") or DEFAULT_PORT)


def _labels(service: Mapping[str, Any]) -> dict[str, str]:
    return {SERVICE_LABEL: service["metadata"]["name"]}


def _metadata(service: Mapping[str, Any]) -> Object:
    meta = service["metadata"]
    owner = {
        "apiVersion": service["apiVersion"],
        "kind": service["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "name": meta["name"],
        "namespace": meta["namespace"],
        "labels": _labels(service),
        "ownerReferences": [owner],
    }
