"""Knative Eventing's own manifests, as far as a laptop runs them.

What is changed: the names of the images, which ko would have filled in, and how long a probe waits,
since one second is not enough on two processors that do other work. What is left out: the programs
that nothing here needs (JobSink, RequestReply), and the autoscalers, for nobody measures pods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from local.knative_eventing.checkout import PROGRAMS, program_file

Manifest = dict[str, Any]

FOLDERS = ("core", "channels/in-memory-channel", "brokers/mt-channel-broker")
KO = "ko://knative.dev/eventing/cmd/"
IMAGE = "knative-eventing/"
LEFT_OUT = frozenset({"HorizontalPodAutoscaler", "PodDisruptionBudget"})
PROBES = ("readinessProbe", "livenessProbe")
PROBE_SECONDS = 10
WORKLOADS = frozenset({"Deployment", "StatefulSet"})
# What the others need comes first. A webhook comes last: until it serves it refuses what it guards.
ORDER = ("Namespace", "CustomResourceDefinition", "ServiceAccount", "ClusterRole", "Role")
LAST = ("Deployment", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def manifests(checkout: Path) -> list[Manifest]:
    """Return the objects in the order in which they are to be applied."""
    found = [_patient(_with_our_images(each)) for each in _read(checkout) if _is_run_here(each)]
    return sorted(found, key=_rank)


def catalogue(programs: Path) -> list[Manifest]:
    """Return the entries of the node's catalogue: each image is one program."""
    return [_entry(program_file(command), programs) for command in PROGRAMS]


def _entry(name: str, programs: Path) -> Manifest:
    return {
        "names": [f"{IMAGE}{name}:*"],
        "mounts": {f"/ko-app/{name}": str(programs / name)},
        "entrypoint": [f"/ko-app/{name}"],
        "user": "65532",
    }


def _read(checkout: Path) -> Iterator[Manifest]:
    for folder in FOLDERS:
        written = (checkout / "config" / folder).rglob("*.yaml")
        # Most have a second name by a symbolic link, which puts them into an order.
        for path in sorted({path.resolve() for path in written}):
            yield from (each for each in yaml.safe_load_all(path.read_text()) if each)


def _is_run_here(manifest: Manifest) -> bool:
    if manifest["kind"] in LEFT_OUT:
        return False
    images = list(_images(manifest)) if manifest["kind"] in WORKLOADS else []
    built = {f"{KO}{command}" for command in PROGRAMS}
    return all(image in built for image in images)


def _images(manifest: Manifest) -> Iterator[str]:
    for container in _containers(manifest):
        yield container["image"]


def _containers(manifest: Manifest) -> list[Manifest]:
    return list(manifest["spec"]["template"]["spec"]["containers"])


def _patient(manifest: Manifest) -> Manifest:
    """Return the manifest with probes that wait long enough for a busy machine."""
    if manifest["kind"] in WORKLOADS:
        probes = [each[kind] for each in _containers(manifest) for kind in PROBES if kind in each]
        for probe in probes:
            probe["timeoutSeconds"] = max(probe.get("timeoutSeconds", 1), PROBE_SECONDS)
    return manifest


def _with_our_images(value: Any) -> Any:
    """Return the same with every reference to a program of the checkout as one of our images."""
    if isinstance(value, str) and value.startswith(KO):
        return f"{IMAGE}{program_file(value.removeprefix(KO))}:devel"
    if isinstance(value, list):
        return [_with_our_images(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _with_our_images(each) for key, each in value.items()}
    return value


def _rank(manifest: Manifest) -> tuple[int, str]:
    kind = manifest["kind"]
    if kind in ORDER:
        return ORDER.index(kind), kind
    return len(ORDER) + (1 + LAST.index(kind) if kind in LAST else 0), kind
