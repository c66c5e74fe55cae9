"""What the node knows about each container of a pod."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from local.kube import Object
from local.node.running import Running


class Kind(StrEnum):
    """Init containers run once, in order; sidecars are init containers that stay."""

    INIT = "init"
    SIDECAR = "sidecar"
    MAIN = "main"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not running now, and why."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Terminated:
    """One run of a container that is over."""

    exit_code: int
    reason: str
    message: str
    started_at: datetime
    finished_at: datetime
    container_id: str


@dataclass(frozen=True, slots=True)
class Started:
    """Running since."""

    at: datetime


@dataclass(slots=True)
class Record:
    """One container: its specification and everything its status is made from."""

    spec: Object
    kind: Kind
    state: Waiting | Started | Terminated = field(default=Waiting("ContainerCreating"))
    last: Terminated | None = None
    restart_count: int = 0
    ready: bool = False
    started: bool = False
    image_id: str = ""
    container_id: str = ""
    running: Running | None = None

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def is_running(self) -> bool:
        return self.running is not None and isinstance(self.state, Started)

    @property
    def has_succeeded(self) -> bool:
        return isinstance(self.state, Terminated) and self.state.exit_code == 0


def records_of(pod: Object) -> list[Record]:
    """One record per container. A pod that was seen running before this program started goes on
    counting restarts from its status."""
    spec = pod["spec"]
    found = [
        Record(item, Kind.SIDECAR if item.get("restartPolicy") == "Always" else Kind.INIT)
        for item in spec.get("initContainers") or []
    ]
    for record in found:
        record.state = Waiting("PodInitializing")
    waiting = Waiting("PodInitializing") if found else Waiting("ContainerCreating")
    found += [Record(item, Kind.MAIN, state=waiting) for item in spec["containers"]]
    status = pod.get("status") or {}
    for entry in [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]:
        for record in found:
            if record.name == entry["name"]:
                _continue_from(record, entry)
                if status.get("phase") in ("Succeeded", "Failed") and record.last:
                    record.state, record.last = record.last, None
                    record.restart_count -= 1
    return found


def _continue_from(record: Record, entry: Object) -> None:
    state = entry.get("state") or {}
    record.restart_count = entry.get("restartCount", 0)
    if not ("running" in state or "terminated" in state):
        return
    record.restart_count += 1
    now = datetime.now(UTC)
    since = (state.get("running") or state["terminated"]).get("startedAt")
    record.last = Terminated(
        exit_code=(state.get("terminated") or {}).get("exitCode", 137),
        reason=(state.get("terminated") or {}).get("reason", "ContainerStatusUnknown"),
        message="The container ended together with the node's program",
        started_at=datetime.fromisoformat(since.replace("Z", "+00:00")) if since else now,
        finished_at=now,
        container_id=entry.get("containerID", ""),
    )
