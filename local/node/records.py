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
    def has_ended(self) -> bool:
        return isinstance(self.state, Terminated)

    @property
    def has_succeeded(self) -> bool:
        return isinstance(self.state, Terminated) and self.state.exit_code == 0


def should_restart(kind: Kind, policy: str, exit_code: int) -> bool:
    """Sidecars are always restarted; a successful init container never is."""
    if kind is Kind.SIDECAR:
        return True
    if kind is Kind.INIT:
        return exit_code != 0 and policy != "Never"
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def records_of(pod: Object) -> list[Record]:
    """One record per container. A pod that was seen running before this program started goes on
    counting restarts from its status, and a container that must not run twice stays ended."""
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
    policy = spec.get("restartPolicy", "Always")
    mains = [record for record in found if record.kind is Kind.MAIN]
    is_over = status.get("phase") in ("Succeeded", "Failed")
    is_over = is_over or all(_stays_ended(record, policy) for record in mains)
    for record in found:
        if record.last and (is_over or _stays_ended(record, policy)):
            record.state, record.last = record.last, None
            record.restart_count -= 1
    return found


def _stays_ended(record: Record, policy: str) -> bool:
    """An init container that succeeded runs again with its pod, as after a reboot."""
    if record.last is None or (record.kind is Kind.INIT and record.last.exit_code == 0):
        return False
    return not should_restart(record.kind, policy, record.last.exit_code)


def _continue_from(record: Record, entry: Object) -> None:
    state = entry.get("state") or {}
    record.restart_count = entry.get("restartCount", 0)
    if not ("running" in state or "terminated" in state):
        return
    record.restart_count += 1
    now = datetime.now(UTC)
    ended = state.get("terminated") or {
        **state["running"],
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": "The container ended together with the node's program",
    }
    record.last = Terminated(
        exit_code=ended["exitCode"],
        reason=ended.get("reason", ""),
        message=ended.get("message", ""),
        started_at=_moment(ended.get("startedAt")) or now,
        finished_at=_moment(ended.get("finishedAt")) or now,
        container_id=entry.get("containerID", ""),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
