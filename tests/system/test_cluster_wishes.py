"""Wishes that this version does not carry out do no harm: a condition says so, servers stay."""

from __future__ import annotations

from typing import Any

import pytest

from local.platform.handle import Platform
from tests.system.clusters import Cluster, is_true

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def single(product: Platform, shared_namespace: str) -> Cluster:
    cluster = Cluster(product, shared_namespace)
    cluster.apply()
    cluster.until_settled()
    cluster.write("/kept", "yes")
    return cluster


def test_what_cannot_be_done_yet_is_said_and_nothing_is_touched(single: Cluster) -> None:
    before = _servers(single)
    single.patch({"stopped": True})
    seen = single.until(
        lambda: (c := single.condition("Scaled"))["reason"] == "NotSupportedYet" and c,
        "the condition",
    )
    assert seen["status"] == "False"
    assert "spec.stopped" in seen["message"]
    assert "spec.stopped" in single.events()["NotSupportedYet"]
    assert _servers(single) == before
    assert is_true(single.status(), "Available")
    single.patch({"stopped": False})
    single.until_settled()
    assert _servers(single) == before
    assert single.read("/kept") == {"yes"}


def test_a_paused_cluster_is_left_as_it_is_and_brought_up_to_date_later(single: Cluster) -> None:
    single.patch({"paused": True})
    single.until(lambda: single.condition("Reconciled")["reason"] == "Paused", "the condition")
    single.kubectl("delete", "configmap", "zk-config")
    single.kubectl("annotate", "zkcluster", "zk", "look=again", "--overwrite")
    single.until(lambda: single.condition("Scaled")["reason"] == "Paused", "scale's condition")
    assert single.get("configmap", "zk-config") == {}
    single.patch({"paused": False})
    single.until_settled()
    assert single.get("configmap", "zk-config")


def _servers(cluster: Cluster) -> tuple[Any, ...]:
    pods = tuple(sorted(pod["metadata"]["uid"] for pod in cluster.pods().values()))
    claims = tuple(claim["metadata"]["uid"] for claim in cluster.all_of("pvc"))
    return pods, claims, cluster.get("statefulset")["spec"]["replicas"]
