"""How much heap a server gets (rule 10 of the design: the heap follows the memory limit)."""

from __future__ import annotations

from decimal import Decimal

from functions.api.cluster import ZooKeeperCluster
from functions.api.values import quantity

MIB = 2**20
# The JVM needs memory beside the heap: metaspace, threads, direct buffers.
SHARE_OF_MEMORY = Decimal("0.75")
SMALLEST_MIB = 64
DEFAULT_MIB = 512


def heap_mib(cluster: ZooKeeperCluster) -> int:
    """Return the heap in MiB: the spec's own, else a share of the limit, else of the request."""
    if cluster.spec.heap is not None:
        return max(SMALLEST_MIB, int(quantity(cluster.spec.heap)) // MIB)
    resources = cluster.spec.resources
    memory = resources.limits.get("memory") or resources.requests.get("memory")
    if memory is None:
        return DEFAULT_MIB
    return max(SMALLEST_MIB, int(quantity(memory) * SHARE_OF_MEMORY) // MIB)
