"""What the Prometheus operator gets of a cluster: made where it is, left alone where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import PROMETHEUS_RULE, SERVICE_MONITOR, Kind, Ref
from functions.api.manifest import Manifest, ref_of
from functions.manifests.monitoring import KINDS, monitoring_objects
from functions.manifests.owned import with_fingerprint
from functions.planning.monitoring import NOWHERE, Monitoring, plan_monitoring
from functions.planning.steps import ApplyWhereServed, DeleteObject, Plan
from tests.expected import TESTS, as_yaml, check_text
from tests.unit.planned import cluster

BOTH = frozenset(KINDS)
MONITOR = Ref(SERVICE_MONITOR, "apps", "zk")
RULE = Ref(PROMETHEUS_RULE, "apps", "zk")


def _stored(of: ZooKeeperCluster, **metadata: Any) -> dict[Ref, Manifest]:
    """Return the cluster's objects as the API server has them."""
    known = {"uid": "uid-of-it", "resourceVersion": "3", **metadata}
    made = [with_fingerprint(item) for item in monitoring_objects(of)]
    return {ref_of(it): {**it, "metadata": {**it["metadata"], **known}} for it in made}


def _plan(of: ZooKeeperCluster, seen: dict[Ref, Manifest], served: frozenset[Kind] = BOTH) -> Plan:
    return plan_monitoring(of, Monitoring(served, seen), "reconcile-cluster")


def _said(plan: Plan) -> list[str]:
    """Return the steps in short."""
    told = []
    for step in plan:
        if isinstance(step, ApplyWhereServed):
            told.append(f"apply {step.manifest['kind']}")
        else:
            assert isinstance(step, DeleteObject)
            told.append(f"delete {step.ref.kind.name} {step.uid}")
    return told


@pytest.mark.parametrize("name", ["native", "by-the-agent"])
def test_the_objects_are_as_expected(name: str) -> None:
    image = "zookeeper:3.9.5" if name == "native" else "registry.example/zookeeper:3.8.5"
    metrics = {
        "serviceMonitor": {"labels": {"release": "prometheus"}, "interval": "1m"},
        "prometheusRule": {"labels": {"release": "prometheus"}},
    }
    shown = as_yaml(*monitoring_objects(cluster(image=image, observers=1, metrics=metrics)))
    check_text(TESTS / "golden" / "manifests" / f"monitoring-{name}.yaml", shown)


def test_nothing_is_done_where_the_kinds_are_not_served() -> None:
    assert plan_monitoring(cluster(), NOWHERE, "reconcile-cluster") == ()


@pytest.mark.parametrize(
    ("spec", "served", "said"),
    [
        pytest.param({}, BOTH, ["apply ServiceMonitor", "apply PrometheusRule"], id="both"),
        pytest.param({}, {SERVICE_MONITOR}, ["apply ServiceMonitor"], id="no-rules-there"),
        pytest.param({"metrics": {"enabled": False}}, BOTH, [], id="no-metrics-wanted"),
        pytest.param(
            {"metrics": {"serviceMonitor": {"enabled": False}}},
            BOTH,
            ["apply PrometheusRule"],
            id="no-monitor-wanted",
        ),
        pytest.param(
            {"metrics": {"prometheusRule": {"enabled": False}}},
            BOTH,
            ["apply ServiceMonitor"],
            id="no-rules-wanted",
        ),
        pytest.param(
            {"stopped": True},
            BOTH,
            ["apply ServiceMonitor"],
            id="nobody-is-woken-for-a-stopped-one",
        ),
    ],
)
def test_what_is_missing_is_made(spec: dict[str, Any], served: set[Kind], said: list[str]) -> None:
    assert _said(_plan(cluster(**spec), {}, frozenset(served))) == said


def test_what_is_as_wanted_is_left_alone() -> None:
    for image in ("zookeeper:3.9.5", "registry.example/zookeeper:3.8.5"):
        assert _plan(cluster(image=image), _stored(cluster(image=image))) == ()


def test_a_changed_spec_and_an_edit_are_followed_by_compare_and_set() -> None:
    plan = _plan(cluster(replicas=5), _stored(cluster(replicas=3)))
    assert _said(plan) == ["apply PrometheusRule"]
    assert isinstance(plan[0], ApplyWhereServed)
    metadata = plan[0].manifest["metadata"]
    assert (metadata["uid"], metadata["resourceVersion"]) == ("uid-of-it", "3")
    assert ref_of(plan[0].manifest) == RULE
    seen = _stored(cluster())
    seen[MONITOR]["spec"]["endpoints"][0]["interval"] = "5m"
    assert _said(_plan(cluster(), seen)) == ["apply ServiceMonitor"]


def test_what_is_wanted_no_more_is_deleted_by_its_uid() -> None:
    without = cluster(metrics={"enabled": False})
    said = ["delete ServiceMonitor uid-of-it", "delete PrometheusRule uid-of-it"]
    assert _said(_plan(without, _stored(cluster()))) == said


@pytest.mark.parametrize(
    ("metadata", "is_ours"),
    [
        pytest.param({"ownerReferences": []}, True, id="its-cluster-was-deleted-without-it"),
        pytest.param({"ownerReferences": [], "labels": {"a": "b"}}, False, id="a-person's-own"),
        pytest.param({"ownerReferences": [], "labels": None}, False, id="one-without-labels"),
        pytest.param(
            {"ownerReferences": [{"uid": "other", "controller": True}]}, False, id="another's"
        ),
        pytest.param({"deletionTimestamp": "2026-01-01T00:00:00Z"}, False, id="on-its-way-out"),
    ],
)
def test_only_our_own_are_mended(metadata: dict[str, Any], is_ours: bool) -> None:
    seen = _stored(cluster(replicas=3), **metadata)
    assert ("apply PrometheusRule" in _said(_plan(cluster(replicas=5), seen))) == is_ours
    without = cluster(metrics={"enabled": False})
    assert bool(_plan(without, seen)) == is_ours
