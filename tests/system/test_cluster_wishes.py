"""`paused`: a cluster that is looked at and left alone."""

from __future__ import annotations

import pytest

from local.platform.handle import Platform
from tests.system.clusters import Cluster

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def single(product: Platform, shared_namespace: str) -> Cluster:
    cluster = Cluster(product, shared_namespace)
    cluster.apply()
    cluster.until_settled()
    return cluster


@pytest.mark.soak
@pytest.mark.anywhere
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
