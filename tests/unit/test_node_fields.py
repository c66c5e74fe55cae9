"""Quantities, the downward API and QoS classes, as a kubelet computes them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from local.node.errors import CannotStart
from local.node.fields import field_value, qos_class, resource_value
from local.node.quantities import parse_quantity, whole_units


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", Fraction(1, 2)),
        ("2", Fraction(2)),
        ("1Gi", Fraction(2**30)),
        ("1.5k", Fraction(1500)),
        ("1e3", Fraction(1000)),
        ("2E", Fraction(2 * 10**18)),
    ],
)
def test_a_quantity_is_exact(text: str, value: Fraction) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", "Gi", "1Zi", "1 Gi", "one"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        parse_quantity(text)


def test_a_share_of_a_divisor_is_rounded_up() -> None:
    assert whole_units("250m", "1") == 1
    assert whole_units("100Mi", "1Mi") == 100


def pod(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "zk-0",
            "namespace": "demo",
            "uid": "u-1",
            "labels": {"b": "2", "a": 'say "hi"'},
        },
        "spec": {"nodeName": "node-a", "containers": [{"name": "c"}], **spec},
        "status": {"podIP": "10.244.1.7", "hostIP": "10.244.255.11"},
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "zk-0"),
        ("metadata.labels['b']", "2"),
        ("metadata.labels['none']", ""),
        ("metadata.labels", 'a="say \\"hi\\""\nb="2"'),
        ("spec.nodeName", "node-a"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "10.244.1.7"),
    ],
)
def test_a_field_reference_has_its_value(path: str, value: str) -> None:
    assert field_value(pod(), path) == value


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(CannotStart, match=r"spec\.nodename"):
        field_value(pod(), "spec.nodename")


def test_a_missing_limit_is_what_the_node_has() -> None:
    container: dict[str, Any] = {"name": "c", "resources": {"limits": {"memory": "64Mi"}}}
    memory = {"resource": "limits.memory", "divisor": "1Mi"}
    assert resource_value(pod(), container, memory) == "64"
    assert resource_value(pod(), container, {"resource": "limits.cpu"}) == "8"
    assert resource_value(pod(), container, {"resource": "requests.cpu"}) == "0"


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "0"}}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        (
            {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m"}},
            "Guaranteed",
        ),
        (
            {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}},
            "Burstable",
        ),
    ],
)
def test_the_qos_class_follows_requests_and_limits(
    resources: dict[str, Any], expected: str
) -> None:
    assert qos_class(pod(containers=[{"name": "c", "resources": resources}])) == expected
