"""A pod's status, computed from what the node knows: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from local.kube import Object
from local.node.fields import qos_class
from local.node.records import Kind, Record, Started, Terminated, Waiting


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a status says besides the containers."""

    host_address: str
    pod_address: str = ""
    started_at: datetime | None = None
    has_network: bool = False
    # Set when the pod as a whole was ended by the node, for example DeadlineExceeded.
    failure: tuple[str, str] | None = None
    # Set when nothing of the pod will run again because it was deleted.
    is_over: bool = False


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_status(
    pod: Object, records: Sequence[Record], around: Surroundings, now: datetime
) -> Object:
    """The whole status that belongs to the node; the conditions of others are not in it."""
    inits = [record for record in records if record.kind is not Kind.MAIN]
    mains = [record for record in records if record.kind is Kind.MAIN]
    status: Object = {
        "phase": phase(pod, records, around),
        "observedGeneration": pod["metadata"].get("generation", 0),
        "hostIP": around.host_address,
        "hostIPs": [{"ip": around.host_address}],
        "qosClass": qos_class(pod),
        "conditions": _conditions(pod, records, around, now),
        "containerStatuses": [container_status(record) for record in mains],
    }
    if inits:
        status["initContainerStatuses"] = [container_status(record) for record in inits]
    if around.started_at:
        status["startTime"] = timestamp(around.started_at)
    if around.pod_address:
        status |= {"podIP": around.pod_address, "podIPs": [{"ip": around.pod_address}]}
    if around.failure:
        status |= {"reason": around.failure[0], "message": around.failure[1]}
    return status


def phase(pod: Object, records: Sequence[Record], around: Surroundings) -> str:
    """Pending until every main container has started once, then Running, then how it ended.

    A pod has not ended while anything of it still runs, a sidecar for example.
    """
    still_runs = any(isinstance(record.state, Started) for record in records)
    end = None if still_runs else _end(pod, records, around)
    if end:
        return end
    mains = [record for record in records if record.kind is Kind.MAIN]
    has_run = all(
        isinstance(record.state, Started | Terminated) or record.last is not None
        for record in mains
    )
    return "Running" if has_run and is_initialized(records) else "Pending"


def _end(pod: Object, records: Sequence[Record], around: Surroundings) -> str | None:
    if around.failure:
        return "Failed"
    policy = pod["spec"].get("restartPolicy", "Always")
    mains = [record for record in records if record.kind is Kind.MAIN]
    inits = [record for record in records if record.kind is Kind.INIT]
    if around.is_over:
        # A Job counts a deleted pod by how it ended, whatever its restart policy would have done.
        return "Succeeded" if all(record.has_succeeded for record in mains) else "Failed"
    if policy != "Always" and all(_is_over(record, policy) for record in mains):
        return "Succeeded" if all(record.has_succeeded for record in mains) else "Failed"
    failed_early = policy == "Never" and any(_has_failed(record) for record in inits)
    return "Failed" if failed_early else None


def _is_over(record: Record, policy: str) -> bool:
    return isinstance(record.state, Terminated) and (
        policy == "Never" or record.state.exit_code == 0
    )


def _has_failed(record: Record) -> bool:
    return isinstance(record.state, Terminated) and record.state.exit_code != 0


def is_initialized(records: Sequence[Record]) -> bool:
    """True once all init containers succeeded and all sidecars have started.

    It stays true when a sidecar starts again later: the main containers have begun by then.
    """
    if any(record.kind is Kind.MAIN and record.running is not None for record in records):
        return True
    return all(
        record.has_succeeded if record.kind is Kind.INIT else record.started
        for record in records
        if record.kind is not Kind.MAIN
    )


def container_status(record: Record) -> Object:
    status: Object = {
        "name": record.name,
        "image": record.spec["image"],
        "imageID": record.image_id,
        "ready": _is_shown_ready(record),
        "started": record.started and record.is_running,
        "restartCount": record.restart_count,
        "state": _state(record.state),
        "lastState": _state(record.last) if record.last else {},
    }
    if record.container_id:
        status["containerID"] = record.container_id
    return status


def _is_shown_ready(record: Record) -> bool:
    """A finished init container counts as ready."""
    return record.has_succeeded if record.kind is Kind.INIT else record.ready and record.is_running


def _state(state: Waiting | Started | Terminated) -> Object:
    match state:
        case Waiting(reason, message):
            return {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        case Started(at):
            return {"running": {"startedAt": timestamp(at)}}
        case Terminated():
            return {
                "terminated": {
                    "exitCode": state.exit_code,
                    "reason": state.reason,
                    **({"message": state.message} if state.message else {}),
                    "startedAt": timestamp(state.started_at),
                    "finishedAt": timestamp(state.finished_at),
                    "containerID": state.container_id,
                }
            }


def _conditions(
    pod: Object, records: Sequence[Record], around: Surroundings, now: datetime
) -> list[Object]:
    over = phase(pod, records, around) in ("Succeeded", "Failed")
    unready = [r.name for r in records if r.kind is not Kind.INIT and not _is_shown_ready(r)]
    containers_ready = not over and not unready
    initialized = is_initialized(records)
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or []]
    present = {c["type"]: c for c in (pod.get("status") or {}).get("conditions") or []}
    gates_open = all(present.get(gate, {}).get("status") == "True" for gate in gates)
    why = _why_unready(over, unready)
    wanted = [
        ("PodReadyToStartContainers", around.has_network, ("", "")),
        ("Initialized", initialized, _why_uninitialized(records)),
        ("Ready", containers_ready and gates_open, why if unready or over else _GATES),
        ("ContainersReady", containers_ready, why),
        ("PodScheduled", True, ("", "")),
    ]
    generation = pod["metadata"].get("generation", 0)
    return [
        _condition(present.get(kind, {}), kind, holds, reasons, now)
        | {"observedGeneration": generation}
        for kind, holds, reasons in wanted
    ]


_GATES = ("ReadinessGatesNotReady", "a condition named in readinessGates is not True")


def _why_unready(over: bool, unready: list[str]) -> tuple[str, str]:
    if over:
        return "PodCompleted", ""
    return "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"


def _why_uninitialized(records: Iterable[Record]) -> tuple[str, str]:
    names = [
        r.name
        for r in records
        if (r.kind is Kind.INIT and not r.has_succeeded)
        or (r.kind is Kind.SIDECAR and not r.started)
    ]
    return "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(names)}]"


def _condition(
    before: Object, kind: str, holds: bool, reasons: tuple[str, str], now: datetime
) -> Object:
    """Keep the time of the last transition while the status stays the same."""
    status = "True" if holds else "False"
    same = before.get("status") == status and before.get("lastTransitionTime")
    return {
        "type": kind,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": before["lastTransitionTime"] if same else timestamp(now),
        "reason": None if holds else (reasons[0] or None),
        "message": None if holds else (reasons[1] or None),
    }
