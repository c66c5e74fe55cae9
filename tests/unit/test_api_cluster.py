"""The models of ZooKeeperCluster: defaults, sentences, versions, and the files made of them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from functions.api.cluster import ZooKeeperCluster
from functions.api.config import OWNED_KEYS, OWNED_PREFIXES
from functions.api.crd import crd_manifest, crd_yaml
from functions.api.errors import InvalidSpec
from functions.api.kinds import BACKUP, CLUSTER, RESTORE, Kind
from functions.api.reference import reference_page
from functions.api.values import quantity
from functions.api.values_schema import values_schema_json

Manifest = dict[str, Any]
ROOT = Path(__file__).parents[2]
TABLES = ROOT / "tests" / "contract"


def table(name: str) -> list[Any]:
    rows = yaml.safe_load((TABLES / name).read_text())
    return [pytest.param(row, id=row["id"]) for row in rows]


def parse(spec: Manifest, **rest: Any) -> ZooKeeperCluster:
    return ZooKeeperCluster.parse({"metadata": {"name": "zk"}, "spec": spec, **rest})


@pytest.mark.parametrize("row", table("refused_clusters.yaml"))
def test_what_the_api_server_refuses_is_refused_with_the_same_sentence(row: Manifest) -> None:
    with pytest.raises(InvalidSpec) as refused:
        parse(row["spec"])
    assert row["says"] in str(refused.value)


@pytest.mark.parametrize("row", table("accepted_clusters.yaml"))
def test_what_the_api_server_accepts_is_accepted(row: Manifest) -> None:
    assert parse(row["spec"]).metadata.name == "zk"


def test_a_refusal_names_every_field_that_is_wrong() -> None:
    with pytest.raises(InvalidSpec) as refused:
        parse({"replicas": 0, "config": {"clientPort": 0}})
    assert "spec.replicas: " in str(refused.value)
    assert "spec.config.clientPort: " in str(refused.value)


def test_the_defaults_are_those_for_production() -> None:
    spec = parse({}).spec
    assert spec.replicas == 3
    assert (spec.config.client_port, spec.config.data_dir) == (2181, "/data")
    assert spec.config.config_dir == "/data/conf"
    assert spec.config.autopurge.snap_retain_count == 3
    assert spec.storage.size == "10Gi"
    assert spec.storage.on_scale_down == "Retain"
    assert spec.resources.limits == {"memory": "512Mi"}
    assert spec.metrics.enabled
    assert not spec.admin_server.enabled
    assert spec.disruption_budget.enabled
    assert not spec.clear_persistence


def test_the_writable_configuration_follows_the_data_directory() -> None:
    config = parse({"config": {"dataDir": "/srv/zk/"}}).spec.config
    assert (config.data_dir, config.config_dir) == ("/srv/zk", "/srv/zk/conf")


@pytest.mark.parametrize(
    ("spec", "image", "version"),
    [
        pytest.param({}, "zookeeper:3.9.5", "3.9.5", id="nothing-said"),
        pytest.param({"image": ""}, "zookeeper:3.9.5", "3.9.5", id="empty-image"),
        pytest.param({"version": "3.8.4"}, "zookeeper:3.8.4", "3.8.4", id="only-a-version"),
        pytest.param({"image": "zookeeper:3.7.0"}, "zookeeper:3.7.0", "3.7.0", id="only-an-image"),
        pytest.param({"image": "a:5000/zk:v3.8.4-x"}, "a:5000/zk:v3.8.4-x", "3.8.4", id="suffix"),
        pytest.param({"image": "zookeeper:3.9"}, "zookeeper:3.9", "3.9", id="two-numbers"),
        pytest.param({"image": "zookeeper:latest"}, "zookeeper:latest", None, id="moving-tag"),
        pytest.param({"image": "a:3000/zookeeper"}, "a:3000/zookeeper", None, id="registry-port"),
        pytest.param({"image": "zk@sha256:3.9"}, "zk@sha256:3.9", None, id="digest"),
        pytest.param({"image": "corp/zk:7", "version": "3.8.4"}, "corp/zk:7", "3.8.4", id="both"),
    ],
)
def test_image_and_version(spec: Manifest, image: str, version: str | None) -> None:
    cluster = parse(spec)
    assert cluster.zookeeper_image() == image
    assert cluster.zookeeper_version() == version


def test_a_status_of_a_newer_version_is_read_as_far_as_it_is_known() -> None:
    cluster = parse(
        {},
        status={
            "replicas": 3,
            "servers": [{"name": "zk-0", "myId": "1", "ready": "true", "mood": "good"}],
            "operation": {"type": "Scale", "serverId": 4, "configVersion": 2**40},
            "weather": "fine",
        },
    )
    assert cluster.status.servers[0].my_id == "1"
    assert cluster.status.operation is not None
    assert cluster.status.operation.config_version == 2**40


def test_the_metadata_is_read() -> None:
    manifest = {
        "metadata": {
            "name": "zk",
            "namespace": "team",
            "uid": "u",
            "generation": 7,
            "resourceVersion": "42",
            "deletionTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [],
        },
        "spec": {},
    }
    metadata = ZooKeeperCluster.parse(manifest).metadata
    assert (metadata.namespace, metadata.generation, metadata.resource_version) == ("team", 7, "42")
    assert metadata.deletion_timestamp is not None


@functools.cache
def schema_of(kind: Kind) -> Manifest:
    """The schema is made once: it takes a quarter of a second, and many tests look at it."""
    root: Manifest = crd_manifest(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return root


def filled(schema: Manifest, value: Any) -> Any:
    """Fill in defaults as the API server does."""
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    whole = dict(value)
    for name, inner in schema["properties"].items():
        if name not in whole and "default" in inner:
            whole[name] = inner["default"]
        if name in whole:
            whole[name] = filled(inner, whole[name])
    return whole


@pytest.mark.parametrize("row", table("accepted_clusters.yaml"))
def test_the_defaults_of_the_crd_are_those_of_the_models(row: Manifest) -> None:
    root = schema_of(CLUSTER)
    spec = {key: value for key, value in row["spec"].items() if value is not None}
    assert parse(filled(root["properties"]["spec"], spec)).spec == parse(spec).spec


OURS = [pytest.param(kind, id=kind.name) for kind in (CLUSTER, BACKUP, RESTORE)]


@pytest.mark.parametrize("kind", OURS)
def test_the_crd_in_the_repository_is_the_one_the_models_make(kind: Kind) -> None:
    stored = (ROOT / "crds" / f"{kind.plural}.yaml").read_text()
    assert stored == crd_yaml(kind), "Run `make crds`."


@pytest.mark.parametrize("kind", OURS)
def test_the_reference_page_is_the_one_the_models_make(kind: Kind) -> None:
    stored = (ROOT / "docs" / "reference" / f"{kind.name.lower()}.md").read_text()
    assert stored == reference_page(kind), "Run `make crds`."


def test_the_schema_of_the_clusters_chart_is_the_one_the_models_make() -> None:
    stored = (ROOT / "charts" / "zookeeper-cluster" / "values.schema.json").read_text()
    assert stored == values_schema_json(), "Run `make crds`."


def nodes(schema: Manifest) -> list[Manifest]:
    inner = [*schema.get("properties", {}).values(), schema.get("items")]
    inner.append(schema.get("additionalProperties"))
    return [schema, *(node for child in inner if isinstance(child, dict) for node in nodes(child))]


@pytest.mark.parametrize("kind", OURS)
def test_every_field_says_what_it_is_for(kind: Kind) -> None:
    root = schema_of(kind)
    for part in ("spec", "status"):
        for node in nodes(root["properties"][part]):
            for name, field in node.get("properties", {}).items():
                assert field.get("description") or name == "podAntiAffinity", name


@pytest.mark.parametrize("kind", OURS)
def test_the_schema_has_no_keyword_that_a_crd_may_not_have(kind: Kind) -> None:
    root = schema_of(kind)
    for node in nodes(root):
        assert not {"$ref", "$defs", "title", "anyOf", "const", "definitions"} & node.keys()
        assert node.get("additionalProperties") is not False


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("250m", "0.25"), ("1Ki", 1024), ("1k", 1000), ("1.5Gi", 1610612736), ("2e3", 2000)],
)
def test_a_quantity_is_worth_what_kubernetes_says(text: str, value: int | str) -> None:
    assert quantity(text) == quantity(str(value))


@given(st.integers(1, 10**6), st.sampled_from(["Ki", "Mi", "Gi", "Ti", "k", "M", "G", "m", ""]))
def test_a_larger_number_of_the_same_unit_is_a_larger_quantity(number: int, unit: str) -> None:
    assert quantity(f"{number}{unit}") < quantity(f"{number + 1}{unit}")


@pytest.mark.parametrize(
    "text", ["1234567e89012345", "", "1GB", "Gi", "1 Gi", "0x10", "1e", "--1", "1\n"]
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        quantity(text)


@given(st.sampled_from(OWNED_KEYS + OWNED_PREFIXES), st.text("abc123", max_size=8))
def test_nothing_we_own_can_be_set_by_hand(key: str, rest: str) -> None:
    whole = key if key in OWNED_KEYS else key + rest
    with pytest.raises(InvalidSpec):
        parse({"config": {"additionalConfig": {whole: "x"}}})


TEXT = st.text("a1.-/ \n", max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["image", "version", "replicas", "heap", "config", "pod", "jvmFlags"])


@given(st.dictionaries(FIELDS, JSON, max_size=3))
def test_whatever_is_in_a_spec_is_either_read_or_refused_in_words(spec: Manifest) -> None:
    try:
        words = parse(spec).metadata.name
    except InvalidSpec as refused:
        words = str(refused)
    assert words


def test_a_spec_written_out_and_read_again_is_the_same() -> None:
    spec = parse(
        {"replicas": 5, "storage": {"log": {}}, "pod": {"tolerations": [{"key": "a"}]}}
    ).spec
    written = json.loads(spec.model_dump_json(by_alias=True, exclude_none=True))
    assert parse(written).spec == spec
