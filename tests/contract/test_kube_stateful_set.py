"""Who says how many replicas a StatefulSet has, on the real API server and its twin."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.errors import Refused
from functions.api.kinds import (
    STATEFUL_SET,
)
from functions.api.manifest import Manifest
from tests.contract.sides import (
    Side,
    made,
    now,
)

pytestmark = pytest.mark.contract


def stateful_set(side: Side, **spec: Any) -> Manifest:
    labels = {"app": "zoo"}
    whole = {
        "selector": {"matchLabels": labels},
        "serviceName": "zoo",
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "zookeeper", "image": "zookeeper:3.9.5"}]},
        },
    }
    return made(side, STATEFUL_SET, "zoo", spec={**whole, **spec})


def replicas(side: Side) -> int:
    return int(now(side, STATEFUL_SET, "zoo")["spec"]["replicas"])


def test_replicas_fall_back_to_one_when_their_only_manager_drops_them(side: Side) -> None:
    side.kube.apply(stateful_set(side, replicas=0), manager="reconcile-cluster")
    assert replicas(side) == 0
    side.kube.apply(stateful_set(side), manager="reconcile-cluster")
    assert replicas(side) == 1


def test_replicas_stay_with_scale_when_it_made_the_stateful_set(side: Side) -> None:
    only = made(side, STATEFUL_SET, "zoo", spec={"replicas": 3})
    side.kube.apply(stateful_set(side, replicas=0), manager="scale")
    side.kube.apply(stateful_set(side), manager="reconcile-cluster")
    assert replicas(side) == 0
    side.kube.apply(only, manager="scale")
    assert replicas(side) == 3
    side.kube.apply(stateful_set(side), manager="reconcile-cluster")
    assert replicas(side) == 3
    labels = now(side, STATEFUL_SET, "zoo")["spec"]["template"]["metadata"]["labels"]
    assert labels == {"app": "zoo"}


def test_a_container_and_its_defaults_go_when_its_manager_drops_it(side: Side) -> None:
    wanted = stateful_set(side)
    containers = wanted["spec"]["template"]["spec"]["containers"]
    containers.append({"name": "more", "image": "x", "env": [{"name": "A", "value": "1"}]})
    side.kube.apply(wanted, manager="reconcile-cluster")
    side.kube.apply(stateful_set(side), manager="reconcile-cluster")
    left = now(side, STATEFUL_SET, "zoo")["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in left] == ["zookeeper"]


def test_what_it_was_made_with_can_go_once_scale_holds_the_replicas_alone(side: Side) -> None:
    only = made(side, STATEFUL_SET, "zoo", spec={"replicas": 0})
    more = stateful_set(side)
    more["spec"]["template"]["metadata"]["annotations"] = {"more": "yes"}
    side.kube.apply({**more, "spec": {**more["spec"], "replicas": 0}}, manager="scale")
    side.kube.apply(more, manager="reconcile-cluster")
    side.kube.apply(only, manager="scale")
    template = now(side, STATEFUL_SET, "zoo")["spec"]["template"]
    assert template["metadata"]["annotations"] == {"more": "yes"}
    side.kube.apply(stateful_set(side), manager="reconcile-cluster")
    template = now(side, STATEFUL_SET, "zoo")["spec"]["template"]
    assert "annotations" not in template["metadata"]
    assert replicas(side) == 0


def test_fixed_fields_of_a_stateful_set_are_refused(side: Side) -> None:
    side.kube.apply(stateful_set(side), manager="reconcile-cluster")
    with pytest.raises(Refused):
        side.kube.apply(stateful_set(side, serviceName="other"), manager="reconcile-cluster")
