"""Servers over nodes: spread where there is room, and a warning where all share one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.platform.handle import Platform
from tests.system.clusters import Cluster

pytestmark = [pytest.mark.system, pytest.mark.soak]


@pytest.fixture
def one_node(product: Platform) -> Iterator[str]:
    """The only node that takes pods."""
    others = ("node-b", "node-c")
    product.kubectl("cordon", *others)
    try:
        yield "node-a"
    finally:
        product.kubectl("uncordon", *others)


def test_servers_that_share_one_node_are_a_warning_as_soon_as_there_are_others(
    one_node: str, cluster: Cluster
) -> None:
    cluster.apply(replicas=3)
    cluster.until(lambda: cluster.condition("Spread")["reason"] == "OnlyNode", "one node is said")
    cluster.kubectl("uncordon", "node-b")
    cluster.kubectl("annotate", "zkcluster", cluster.name, "look=again")
    cluster.until(lambda: cluster.condition("Spread")["reason"] == "OneNode", "the warning")
    assert f"All 3 voters run on {one_node}" in cluster.events()["OneNode"]
    cluster.until_settled()
    cluster.kubectl("delete", "pvc/data-zk-1", "pod/zk-1", "--wait=false")
    cluster.until(lambda: cluster.condition("Spread")["reason"] == "SeveralNodes", "it moved")
    cluster.until_settled()
