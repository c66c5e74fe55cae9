"""What Knative Serving refuses in a Service with its default configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

AUTOSCALING = "autoscaling.knative.dev/"
RESERVED_ENV = ("PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION")
# Feature flags of config-features; all of them are off by default.
POD_FIELDS_OFF = (
    "initContainers",
    "affinity",
    "tolerations",
    "nodeSelector",
    "topologySpreadConstraints",
    "dnsPolicy",
    "dnsConfig",
    "hostAliases",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "priorityClassName",
    "runtimeClassName",
    "schedulerName",
    "shareProcessNamespace",
    "ephemeralContainers",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "activeDeadlineSeconds",
    "nodeName",
    "hostname",
    "subdomain",
)
VOLUMES = ("configMap", "secret", "projected", "emptyDir")
VOLUMES_OFF = ("persistentVolumeClaim", "hostPath", "csi", "image")
CONTAINER_FIELDS_OFF = ("lifecycle", "stdin", "stdinOnce", "tty", "volumeDevices", "resizePolicy")
MOST_CONCURRENCY = 1000
LONGEST_SECONDS = 600
TEMPLATE = "spec.template.spec"

_SCALE = re.compile(r"\d+")


def service_error(manifest: Mapping[str, Any]) -> str | None:
    """Return the first thing that is wrong, in Knative's words; None when it is accepted."""
    return next(_errors(manifest), None)


def _errors(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield from _metadata_errors(manifest.get("metadata") or {})
    template = (manifest.get("spec") or {}).get("template") or {}
    yield from _annotation_errors(template.get("metadata") or {})
    spec = template.get("spec")
    if not spec:
        yield "missing field(s): spec.template.spec.containers"
        return
    for name in POD_FIELDS_OFF:
        if name in spec:
            yield f"must not set the field(s): {TEMPLATE}.{name}"
    yield from _limit_errors(spec)
    yield from _volume_errors(spec.get("volumes") or [])
    yield from _container_errors(spec.get("containers") or [])


def _metadata_errors(metadata: Mapping[str, Any]) -> Iterator[str]:
    if len(metadata.get("name", "")) > 63:
        yield "not a DNS 1035 label: [must be no more than 63 characters]: metadata.name"
    for name in metadata.get("annotations") or {}:
        if name.startswith(AUTOSCALING):
            yield (
                f'invalid key name "{name}": metadata.annotations\nautoscaling annotations must '
                'be put under "spec.template.metadata.annotations" to work'
            )


def _annotation_errors(metadata: Mapping[str, Any]) -> Iterator[str]:
    annotations = metadata.get("annotations") or {}
    scales: dict[str, int] = {}
    for short in ("min-scale", "max-scale", "initial-scale"):
        value = annotations.get(AUTOSCALING + short)
        if value is None:
            continue
        if not isinstance(value, str) or not _SCALE.fullmatch(value):
            yield f"invalid value: {value}: {AUTOSCALING}{short}"
            return
        scales[short] = int(value)
    least, most = scales.get("min-scale", 0), scales.get("max-scale", 0)
    if most and least > most:
        yield (
            f"max-scale={most} is less than min-scale={least}: "
            f"{AUTOSCALING}max-scale, {AUTOSCALING}min-scale"
        )


def _limit_errors(spec: Mapping[str, Any]) -> Iterator[str]:
    limits = {
        "containerConcurrency": (0, MOST_CONCURRENCY),
        "timeoutSeconds": (0, LONGEST_SECONDS),
        "responseStartTimeoutSeconds": (0, LONGEST_SECONDS),
        "idleTimeoutSeconds": (0, LONGEST_SECONDS),
    }
    for name, (lowest, highest) in limits.items():
        value = spec.get(name)
        if value is not None and not lowest <= value <= highest:
            yield f"expected {lowest} <= {value} <= {highest}: {TEMPLATE}.{name}"


def _volume_errors(volumes: list[Mapping[str, Any]]) -> Iterator[str]:
    for index, volume in enumerate(volumes):
        for kind in VOLUMES_OFF:
            if kind in volume:
                yield f"must not set the field(s): {TEMPLATE}.volumes[{index}].{kind}"
        if not any(kind in volume for kind in VOLUMES):
            wanted = ", ".join(f"{TEMPLATE}.volumes[{index}].{kind}" for kind in VOLUMES)
            yield f"expected exactly one, got neither: {wanted}"


def _container_errors(containers: list[Mapping[str, Any]]) -> Iterator[str]:
    if not containers:
        yield f"missing field(s): {TEMPLATE}.containers"
    serving = [one for one in containers if one.get("ports")]
    if len(containers) > 1 and len(serving) != 1:
        found = "both" if serving else "neither"
        yield f"expected exactly one, got {found}: {TEMPLATE}.containers[*].ports"
    for index, container in enumerate(containers):
        path = f"{TEMPLATE}.containers[{index}]"
        if not container.get("image"):
            yield f"missing field(s): {path}.image"
        for name in CONTAINER_FIELDS_OFF:
            if name in container:
                yield f"must not set the field(s): {path}.{name}"
        if len(container.get("ports") or []) > 1:
            yield f"more than one container port is set: {path}.ports\nonly one is allowed"
        yield from _env_errors(container.get("env") or [], path)


def _env_errors(env: list[Mapping[str, Any]], path: str) -> Iterator[str]:
    for index, variable in enumerate(env):
        where = f"{path}.env[{index}]"
        if variable.get("name") in RESERVED_ENV:
            yield f'"{variable["name"]}" is a reserved environment variable: {where}.name'
        for kind in ("fieldRef", "resourceFieldRef"):
            if kind in (variable.get("valueFrom") or {}):
                yield f"must not set the field(s): {where}.valueFrom.{kind}"
