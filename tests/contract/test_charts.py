"""The Helm charts: the same objects as kustomize makes, and values that are checked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.go_build import NoBinaries
from local.go_tools import ensure
from tests.contract.api_server import REPOSITORY, ApiServer
from tests.contract.rendered import Manifest, applied, key, kustomize, namespaced, overlay

pytestmark = pytest.mark.contract

SECONDS = 60
FUNCTIONS = REPOSITORY / "charts" / "zookeeper-functions"
CLUSTER = REPOSITORY / "charts" / "zookeeper-cluster"
KEEP = {"helm.sh/resource-policy": "keep"}

# The overlay, or the components beside `knative`, and the values that come to the same.
SAME = [
    pytest.param("knative", {}, id="knative"),
    pytest.param(
        "kafka-broker", {"broker": {"class": "Kafka"}}, id="kafka-broker", marks=pytest.mark.soak
    ),
    pytest.param(
        "eventing-only", {"serving": "deployments"}, id="eventing-only", marks=pytest.mark.soak
    ),
    pytest.param("namespaced", {"scope": "namespace"}, id="namespaced"),
    pytest.param(
        ("deployments", "kafka-broker", "one-namespace"),
        {"serving": "deployments", "broker": {"class": "Kafka"}, "scope": "namespace"},
        id="all-together",
        marks=pytest.mark.soak,
    ),
]


@pytest.fixture(scope="session")
def helm() -> Path:
    try:
        return ensure("helm", lambda line: print(line))  # noqa: T201
    except NoBinaries as problem:
        pytest.fail(str(problem))


@pytest.fixture
def template(helm: Path, tmp_path: Path) -> Any:
    """Renders a chart with some values; returns the objects, or what Helm says against it."""

    def render(chart: Path, values: Any, name: str = "zk", namespace: str = "apps") -> Any:
        file = tmp_path / "values.yaml"
        file.write_text(json.dumps(values))
        words = ("template", name, str(chart), "-n", namespace, "-f", str(file))
        done = subprocess.run(
            [str(helm), *words, "--kube-version=v1.36.3"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode != 0:
            return done.stderr
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return [found for found in yaml.load_all(done.stdout, Loader=loader) if found]

    return render


def _kustomized(what: str | tuple[str, ...], folder: Path) -> list[Manifest]:
    """Return an overlay of the repository, or `knative` with components."""
    if isinstance(what, str):
        return overlay(what)
    config = REPOSITORY / "config"
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [_relative(config / "overlays/knative", folder)],
        "components": [_relative(config / "components" / name, folder) for name in what],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return kustomize(folder)


def _relative(to: Path, start: Path) -> str:
    ups = "../" * len(start.resolve().parts[1:])
    return f"{ups}{to.resolve().relative_to('/')}"


def _without_helms(manifests: list[Manifest]) -> Iterator[Manifest]:
    """Leave out what only one of the two makes: Helm is told of the namespace, and keeps some."""
    for manifest in manifests:
        metadata = dict(manifest["metadata"])
        annotations = metadata.pop("annotations", {})
        if rest := {name: text for name, text in annotations.items() if name not in KEEP}:
            metadata["annotations"] = rest
        if manifest["kind"] != "Namespace":
            yield {**manifest, "metadata": metadata}


def _by_key(manifests: list[Manifest]) -> dict[Any, Manifest]:
    found = {key(manifest): manifest for manifest in _without_helms(manifests)}
    assert found
    return found


@pytest.mark.parametrize(("what", "values"), SAME)
def test_the_chart_makes_the_very_objects_that_kustomize_makes(
    template: Any, tmp_path: Path, what: Any, values: Any
) -> None:
    ours = _by_key(template(FUNCTIONS, values, namespace="zookeeper-functions"))
    theirs = _by_key(_kustomized(what, tmp_path))
    assert sorted(ours) == sorted(theirs)
    for at, wanted in theirs.items():
        assert ours[at] == wanted, at


@pytest.mark.soak
def test_for_another_namespace_they_are_the_same_too(template: Any, tmp_path: Path) -> None:
    ours = _by_key(template(FUNCTIONS, {"scope": "namespace"}, namespace="team-a"))
    assert ours == _by_key(namespaced("team-a", tmp_path))


def test_what_may_not_go_is_kept_when_the_chart_is_uninstalled(template: Any) -> None:
    made = template(FUNCTIONS, {})
    kept = {
        key(m)[1::2] for m in made if KEEP.items() <= m["metadata"].get("annotations", {}).items()
    }
    assert kept == {
        ("CustomResourceDefinition", "zookeeperbackups.zookeeper.example.com"),
        ("CustomResourceDefinition", "zookeeperclusters.zookeeper.example.com"),
        ("CustomResourceDefinition", "zookeeperrestores.zookeeper.example.com"),
        ("ClusterRole", "zookeeper-functions-server"),
    }
    without = template(FUNCTIONS, {"definitions": {"install": False}})
    assert {key(m) for m in made} - {key(m) for m in without} == {
        key(m) for m in made if key(m)[1::2] in kept
    }


def test_values_reach_every_function(template: Any) -> None:
    values = {
        "image": "registry.example/zookeeper-functions:2",
        "imagePullSecrets": [{"name": "registry"}],
        "resources": {"requests": {"memory": "64Mi"}},
        "env": [{"name": "KUBERNETES_TIMEOUT", "value": "20"}],
        "broker": {"ingress": "events.example"},
        "resync": {"unsettled": "*/30 * * * * *", "all": "@hourly 1 2 3 4"},
    }
    made = template(FUNCTIONS, values)
    functions = [m for m in made if m["apiVersion"].startswith("serving.")]
    assert len(functions) == 8
    for function in functions:
        pod = function["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        told = {entry["name"]: entry.get("value") for entry in container["env"]}
        assert container["image"] == told["FUNCTIONS_IMAGE"] == values["image"]
        assert (told["KUBERNETES_TIMEOUT"], container["resources"]) == ("20", values["resources"])
        assert pod["imagePullSecrets"] == values["imagePullSecrets"]
        address = "http://events.example/apps/zookeeper"
        assert told.get("BROKER_URL", told.get("K_SINK", address)) == address
    pings = {
        m["metadata"]["name"]: m["spec"]["schedule"] for m in made if m["kind"] == "PingSource"
    }
    assert pings == {"resync-unsettled": "*/30 * * * * *", "resync-all": "@hourly 1 2 3 4"}


@pytest.mark.parametrize(
    ("chart", "values", "told"),
    [
        pytest.param(FUNCTIONS, {"scop": "cluster"}, "scop", id="a-misspelt-value"),
        pytest.param(FUNCTIONS, {"scope": "galaxy"}, "/scope", id="a-scope-there-is-not"),
        pytest.param(
            FUNCTIONS, {"serving": "lambda"}, "/serving", id="a-way-to-serve-there-is-not"
        ),
        pytest.param(FUNCTIONS, {"broker": {"class": "Rabbit"}}, "/broker/class", id="a-class"),
        pytest.param(FUNCTIONS, {"resync": {"all": "@every 5m"}}, "/resync/all", id="no-schedule"),
        pytest.param(CLUSTER, {"spec": {"replica": 3}}, "'replica'", id="a-misspelt-field"),
        pytest.param(CLUSTER, {"spec": {"replicas": "3"}}, "/spec/replicas", id="a-text"),
        pytest.param(CLUSTER, {"spec": {"replicas": 255}}, "/spec/replicas", id="too-many"),
        pytest.param(CLUSTER, {"spec": {"storage": {"sise": 1}}}, "'sise'", id="misspelt-inside"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(
    template: Any, chart: Path, values: Any, told: str
) -> None:
    said = template(chart, values)
    assert isinstance(said, str), "they were accepted"
    assert told in said


SAMPLES = sorted((REPOSITORY / "config" / "samples").glob("cluster-*.yaml"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_an_ensemble_from_values_is_the_sample(
    template: Any, api_server: ApiServer, sample: Path
) -> None:
    wanted = yaml.safe_load(sample.read_text())
    name = wanted["metadata"]["name"]
    made = template(CLUSTER, {"spec": wanted["spec"]}, name=name, namespace="default")
    assert made == [{**wanted, "metadata": {"name": name, "namespace": "default"}}]
    assert applied(api_server, made, dryRun="All") == {}


def test_a_large_number_stays_one_and_an_ensemble_may_be_kept(template: Any) -> None:
    values = {
        "name": "other",
        "keep": True,
        "labels": {"team": "a"},
        "annotations": {"b": "c"},
        "spec": {"config": {"maxSessionTimeout": 4194304}},
    }
    (made,) = template(CLUSTER, values)
    assert made["metadata"] == {
        "name": "other",
        "namespace": "apps",
        "labels": {"team": "a"},
        "annotations": {"b": "c", **KEEP},
    }
    assert made["spec"] == {"config": {"maxSessionTimeout": 4194304}, "replicas": 3}
