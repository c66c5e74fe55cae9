"""The objects for the Prometheus operator, where it is installed: made, mended and taken away.

Invariant: where their kinds are not served nothing is written and nothing is said, and an object
that we did not make is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import Kind, Ref
from functions.api.manifest import Manifest, ref_of
from functions.manifests.monitoring import KINDS, monitor_name, monitoring_objects
from functions.manifests.owned import with_fingerprint
from functions.planning.optional import bring
from functions.planning.steps import Plan


@dataclass(frozen=True, slots=True)
class Monitoring:
    """Which of the kinds the API server serves, and what of the cluster's there is."""

    served: frozenset[Kind] = frozenset()
    seen: Mapping[Ref, Manifest] = field(default_factory=dict)


# Where there is no Prometheus operator.
NOWHERE = Monitoring()


def monitoring_refs(cluster: ZooKeeperCluster, served: frozenset[Kind]) -> tuple[Ref, ...]:
    name = monitor_name(cluster)
    return tuple(Ref(kind, cluster.metadata.namespace, name) for kind in KINDS if kind in served)


def plan_monitoring(cluster: ZooKeeperCluster, monitoring: Monitoring, manager: str) -> Plan:
    """Return the steps that bring the objects to what the spec asks."""
    wanted = {ref_of(manifest): with_fingerprint(manifest) for manifest in _wanted(cluster)}
    return tuple(
        step
        for ref in monitoring_refs(cluster, monitoring.served)
        for step in bring(cluster, ref, wanted.get(ref), monitoring.seen.get(ref), manager)
    )


def _wanted(cluster: ZooKeeperCluster) -> tuple[Manifest, ...]:
    """Return what is wanted; the operator refuses a rule object that has nothing to say."""
    objects = monitoring_objects(cluster)
    return tuple(it for it in objects if it["spec"].get("groups", True))
