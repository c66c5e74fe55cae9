"""Where one pod is on this machine: its processes, its network, its volumes.

Faults on purpose start from here, because it is known without the API server too.
"""

from __future__ import annotations

from local.kube import Object
from local.node.network import link_name
from local.node.pod import PodKeeper
from local.node.records import Record


def whereabouts(keeper: PodKeeper) -> Object:
    """The main containers come first; a pod on the host network has no link of its own."""
    namespace, name = keeper.key
    own = keeper.network
    return {
        "namespace": namespace,
        "name": name,
        "uid": keeper.uid,
        "address": keeper.address,
        "network": str(own) if own else "",
        "link": link_name(keeper.uid) if own else "",
        "containers": [
            {"name": record.name, "kind": record.kind, "pid": _first_process(record)}
            for record in sorted(keeper.records, key=lambda record: record.kind != "main")
        ],
        "claims": {name: str(path) for name, path in keeper.volumes.claims.items()},
    }


def _first_process(record: Record) -> int:
    """The number of the container's first process; 0 while none runs."""
    if not record.is_running or record.running is None or record.running.has_ended:
        return 0
    return record.running.pid
