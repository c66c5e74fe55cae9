"""What people are woken for about one ensemble, as Prometheus' alert rules over its servers.

What is known from the status of objects, and what is about the functions, is not here but in
config/monitoring: it is the same for all ensembles. docs/operations/monitoring.md says of every
alert what to do; a test compares.
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest

PAGE = "docs/operations/monitoring.md"


def server_alerts(cluster: ZooKeeperCluster) -> list[Manifest]:
    """Return the alert rules; none for an ensemble that is to run no server."""
    if cluster.spec.stopped:
        return []
    return [*_quorum(cluster), *_room(cluster), *_load(cluster)]


def _quorum(cluster: ZooKeeperCluster) -> list[Manifest]:
    serving = f"sum(zookeeper_server_serving{_of(cluster)})"
    wanted = cluster.spec.replicas + cluster.spec.observers
    return [
        _alert(
            cluster, "ZooKeeperNoQuorum", "critical", "1m", f"{serving} == 0",
            f"No server of {_told(cluster)} serves.",
        ),
        _alert(
            cluster, "ZooKeeperServerNotInQuorum", "warning", "10m",
            f"({serving} > 0) < {wanted}",
            f"Only {{{{ $value }}}} of {wanted} servers of {_told(cluster)} serve.",
        ),
        _alert(
            cluster, "ZooKeeperNotSeen", "warning", "10m",
            f"absent(zookeeper_server_serving{_of(cluster)})",
            f"Prometheus sees no server of {_told(cluster)}: none runs, or it cannot ask them.",
        ),
    ]  # fmt: skip


def _room(cluster: ZooKeeperCluster) -> list[Manifest]:
    it = _of(cluster)
    left = f"zookeeper_volume_available_bytes{it} / zookeeper_volume_size_bytes{it}"
    heap = _of(cluster, 'area="heap"')
    used = f"min_over_time(jvm_memory_bytes_used{heap}[15m]) / jvm_memory_bytes_max{heap}"
    descriptors = f"open_file_descriptor_count{it} / max_file_descriptor_count{it}"
    return [
        _alert(
            cluster, "ZooKeeperDiskFilling", "warning", "15m", f"{left} < 0.2",
            "The volume {{ $labels.volume }} of {{ $labels.pod }} has "
            "{{ $value | humanizePercentage }} left.",
        ),
        _alert(
            cluster, "ZooKeeperDiskFull", "critical", "1m", f"{left} < 0.05",
            "The volume {{ $labels.volume }} of {{ $labels.pod }} has "
            "{{ $value | humanizePercentage }} left: the server ends when there is none.",
        ),
        _alert(
            cluster, "ZooKeeperHeapFilling", "warning", "5m", f"{used} > 0.85",
            "{{ $labels.pod }} never used less than {{ $value | humanizePercentage }} of its heap "
            "for a quarter of an hour.",
        ),
        _alert(
            cluster, "ZooKeeperFileDescriptors", "warning", "5m", f"{descriptors} > 0.8",
            "{{ $labels.pod }} has {{ $value | humanizePercentage }} of its file descriptors open.",
        ),
    ]  # fmt: skip


def _load(cluster: ZooKeeperCluster) -> list[Manifest]:
    return [
        _alert(
            cluster, "ZooKeeperSlow", "warning", "10m",
            f"{_mean(cluster, 'updatelatency')} > 200",
            "A write takes {{ $value | humanize }} ms on {{ $labels.pod }}.",
        ),
        _alert(
            cluster, "ZooKeeperDiskSlow", "warning", "10m", f"{_mean(cluster, 'fsynctime')} > 100",
            "Writing the log to disk takes {{ $value | humanize }} ms on {{ $labels.pod }}.",
        ),
        _alert(
            cluster, "ZooKeeperRequestsPileUp", "warning", "5m",
            f"outstanding_requests{_of(cluster)} > 100",
            "{{ $value }} requests wait on {{ $labels.pod }}.",
        ),
    ]  # fmt: skip


def _mean(cluster: ZooKeeperCluster, summary: str) -> str:
    """Return the mean of the last minutes, where there was anything to measure.

    ZooKeeper's own `avg_latency` is the mean since the server started, which hides what is now.
    """
    total, count = (f"rate({summary}_{part}{_of(cluster)}[5m])" for part in ("sum", "count"))
    return f"{total} / {count}"


def _of(cluster: ZooKeeperCluster, also: str = "") -> str:
    metadata = cluster.metadata
    chosen = f'namespace="{metadata.namespace}",zkcluster="{metadata.name}"'
    return f"{{{chosen},{also}}}" if also else f"{{{chosen}}}"


def _told(cluster: ZooKeeperCluster) -> str:
    return f"ZooKeeperCluster {cluster.metadata.namespace}/{cluster.metadata.name}"


def _alert(
    cluster: ZooKeeperCluster, name: str, severity: str, lasting: str, expr: str, summary: str
) -> Manifest:
    metadata = cluster.metadata
    return {
        "alert": name,
        "expr": expr,
        "for": lasting,
        "labels": {
            "severity": severity,
            "namespace": metadata.namespace,
            "zkcluster": metadata.name,
        },
        "annotations": {
            "summary": summary,
            "runbook": f"{PAGE}#{name.lower()}",
        },
    }
