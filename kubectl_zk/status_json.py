"""`kubectl zk status -o json`: the same as the screen, for programs."""

from __future__ import annotations

from typing import Any

from functions.api.backup import ZooKeeperBackup
from functions.api.cluster import ZooKeeperCluster
from functions.api.restore import ZooKeeperRestore
from kubectl_zk.counters import Counters
from kubectl_zk.overview import Overview, Server, is_as_wanted

Told = dict[str, Any]


def row_as_json(cluster: ZooKeeperCluster) -> Told:
    """Return one cluster as `status` of several lists it."""
    told, metadata = cluster.status, cluster.metadata
    return {
        "namespace": metadata.namespace,
        "name": metadata.name,
        "wanted": cluster.spec.replicas + cluster.spec.observers,
        "ready": told.ready_replicas or 0,
        "leader": told.leader,
        "version": told.version,
        "operation": told.operation.manifest() if told.operation is not None else None,
        "paused": cluster.spec.paused,
        "stopped": cluster.spec.stopped,
        "isAsWanted": is_as_wanted(cluster),
    }


def as_json(seen: Overview) -> Told:
    """Return one cluster with everything the screen shows."""
    return {
        "cluster": row_as_json(seen.cluster),
        "servers": [_server(server) for server in seen.servers],
        "backups": [_backup(it) for it in seen.backups],
        "restores": [_restore(it) for it in seen.restores],
        "conditions": [it.manifest() for it in seen.cluster.status.conditions],
        "functionsMissingFrom": seen.functions_missing_from,
        "notShown": list(seen.unread),
    }


def _server(server: Server) -> Told:
    told, answer = server.told, server.answer
    return {
        "name": told.name,
        "id": int(told.my_id) if told.my_id.isdecimal() else None,
        "role": told.mode,
        "ready": told.ready == "true",
        "message": told.message,
        "node": (server.pod.node if server.pod is not None else "") or None,
        "counters": _counters(answer) if isinstance(answer, Counters) else None,
        "notAsked": answer if isinstance(answer, str) else None,
    }


def _counters(answer: Counters) -> Told:
    return {
        "zxid": f"{answer.zxid:#x}",
        "lag": answer.lag,
        "connections": answer.stats.connections,
        "latencyMilliseconds": answer.latency,
        "outstanding": answer.outstanding,
        "received": answer.received,
        "sent": answer.sent,
    }


def _backup(backup: ZooKeeperBackup) -> Told:
    told = backup.status
    return {
        "name": backup.metadata.name,
        "schedule": backup.spec.schedule,
        "status": told.status,
        "message": told.message,
        "progress": told.progress,
        "newest": told.record[-1].manifest() if told.record else None,
        "kept": len(told.record),
    }


def _restore(restore: ZooKeeperRestore) -> Told:
    told = restore.status
    return {
        "name": restore.metadata.name,
        "status": told.status,
        "step": told.step,
        "since": told.since,
        "message": told.message,
    }
