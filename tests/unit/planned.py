"""Values that the planners' tests are made of: a cluster, pods, claims, and a plan's outcome."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from functions.api.cluster import ZooKeeperCluster
from functions.planning.ensemble import ServerStats
from functions.planning.seen import SeenClaim, SeenPod, SeenStatefulSet
from functions.planning.steps import Announce, Plan, Step, WriteStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FINALIZER = "zookeeper.example.com/clear"

MEMBERS = [{"id": n + 1, "name": f"zk-{n}", "role": "participant"} for n in range(3)]


def cluster(status: dict[str, Any] | None = None, **spec: Any) -> ZooKeeperCluster:
    """Return the cluster apps/zk, with its finalizer."""
    metadata = {
        "name": "zk", "namespace": "apps", "uid": "uid-of-zk", "generation": 1,
        "resourceVersion": "7", "finalizers": [FINALIZER],
    }  # fmt: skip
    return ZooKeeperCluster.parse({"metadata": metadata, "spec": spec, "status": status or {}})


def changed(before: ZooKeeperCluster, **metadata: Any) -> ZooKeeperCluster:
    """Return the same cluster with other metadata."""
    return before.model_copy(update={"metadata": before.metadata.model_copy(update=metadata)})


def record(state: str = "open", size: int = 3, volumes: int = 0) -> dict[str, Any]:
    """Return `status.bootstrap` with the first `volumes` volumes on it."""
    return {
        "state": state,
        "members": [{"id": number + 1, "name": f"zk-{number}"} for number in range(size)],
        "volumes": [{"name": f"data-zk-{n}", "uid": f"uid-of-data-zk-{n}"} for n in range(volumes)],
    }


def pod(name: str, **more: Any) -> SeenPod:
    given = {"address": f"address-of-{name}", "is_ready": True, "is_deleting": False, "trouble": ""}
    return SeenPod(name=name, uid=f"uid-of-{name}", **{**given, **more})


def claim(name: str, *, is_deleting: bool = False) -> SeenClaim:
    return SeenClaim(name, f"uid-of-{name}", is_deleting)


def claims(size: int = 3) -> tuple[SeenClaim, ...]:
    return tuple(claim(f"data-zk-{number}") for number in range(size))


def stateful_set(replicas: int = 3, **more: Any) -> SeenStatefulSet:
    given = {
        "is_observed": True, "is_deleting": False, "controller_uid": "uid-of-zk", "is_built": True,
    }  # fmt: skip
    return SeenStatefulSet("uid-of-set", "9", replicas, **{**given, **more})


def stats(mode: str, zxid: int = 0x100000001, version: str = "3.9.5") -> ServerStats:
    return ServerStats(mode, zxid, version, 1)


def told(plan: Plan) -> list[str]:
    """Return the reasons of the Events a plan makes."""
    return [step.reason for step in plan if isinstance(step, Announce)]


def kinds(plan: Plan) -> list[type[Step]]:
    return [type(step) for step in plan]


def status(plan: Plan) -> dict[str, Any]:
    """Return the one status that a plan writes."""
    (written,) = [step for step in plan if isinstance(step, WriteStatus)]
    return dict(written.manifest["status"])


def condition(plan: Plan, kind: str) -> tuple[str, str]:
    """Return status and reason of a condition that a plan writes."""
    found = {c["type"]: (c["status"], c["reason"]) for c in status(plan)["conditions"]}
    return found[kind]


def message(plan: Plan, kind: str) -> str:
    return next(str(c["message"]) for c in status(plan)["conditions"] if c["type"] == kind)


# What server-side apply takes away when its owner leaves it out.
_OWNED = {
    "scale": frozenset({"bootstrap", "members", "incident", "recovery"}),
    "zookeeper-operation": frozenset({"operation"}),
}


def after(before: ZooKeeperCluster, plan: Plan) -> ZooKeeperCluster:
    """Return the cluster with the status that a plan writes, merged as the API server does."""
    seen = before.status.model_dump(by_alias=True, exclude_none=True, mode="json")
    for step in plan:
        if isinstance(step, WriteStatus):
            wanted = dict(step.manifest["status"])
            conditions = wanted.get("conditions", [])
            types = {c["type"] for c in conditions}
            kept = [c for c in seen["conditions"] if c["type"] not in types]
            left_out = _OWNED.get(step.manager, frozenset())
            seen = {key: value for key, value in seen.items() if key not in left_out}
            seen = {**seen, **wanted, "conditions": [*kept, *conditions]}
    parsed = ZooKeeperCluster.parse({"metadata": {"name": "x"}, "spec": {}, "status": seen})
    return before.model_copy(update={"status": parsed.status})
