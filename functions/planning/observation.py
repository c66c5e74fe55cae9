"""What is known of the servers, and what follows for the cluster: the slice of `observe`.

Status says what was seen, never what is about to be done. It holds no zxid and no counters, so
that a busy ensemble whose servers keep their roles costs no write (DESIGN 11.14).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.manifests.names import ordinal_of, pod_name
from functions.planning.ensemble import ServerStats
from functions.planning.membership import counted, is_stopped, quorum, voters
from functions.planning.restores.hold import step_of
from functions.planning.restoring import RestoreStep
from functions.planning.seen import SeenPod
from functions.planning.spread import SPREAD, spread
from functions.planning.status import Slice, Wanted, has_turned, since, write_status
from functions.planning.steps import Announce, Plan

MANAGER = "observe"
AVAILABLE = "Available"
QUORUM_HEALTHY = "QuorumHealthy"
NO_POD = "has no pod"
IS_STOPPED = "is stopped"
STOPPED = "Stopped"
RESTORING = "Restoring"
VOTING_MODES = ("leader", "follower", "standalone")

# What a server said, or the sentence why it could not be asked.
Answer = ServerStats | str


@dataclass(frozen=True, slots=True)
class ServerReport:
    """One server as status shows it."""

    id: int
    name: str
    mode: str
    is_ready: bool
    message: str
    version: str = ""
    zxid: int = 0
    is_unreachable: bool = False

    @property
    def is_voting(self) -> bool:
        """A server of the member list that comes back with an empty disk observes at first."""
        return self.mode in VOTING_MODES

    def entry(self) -> Manifest:
        """Return the entry of `status.servers`, in the seed system's shape."""
        return {
            "name": self.name,
            "myId": str(self.id),
            "mode": self.mode,
            "ready": "true" if self.is_ready else "false",
            "message": self.message,
        }


def plan_observe(
    cluster: ZooKeeperCluster,
    pods: Sequence[SeenPod],
    answers: Mapping[str, Answer],
    nodes: int | None,
    now: datetime,
) -> Plan:
    """Return the Events and the status that tell what was seen, or nothing when status does."""
    reports = server_reports(cluster, pods, answers)
    asked = (available(cluster, reports), quorum_healthy(cluster, reports))
    if (step := step_of(cluster)) not in (None, RestoreStep.ARM):
        asked = (_unless_restoring(asked[0], step), _unless_restoring(asked[1], step))
    elif cluster.spec.stopped and (is_stopped(cluster) or not pods):
        asked = (_unless_stopped(asked[0]), _unless_stopped(asked[1]))
    conditions = (*asked, *spread(cluster, pods, nodes))
    part = Slice(
        manager=MANAGER,
        fields=_fields(cluster, reports),
        conditions=conditions,
        owned_types=frozenset({AVAILABLE, QUORUM_HEALTHY, SPREAD}),
    )
    written = write_status(cluster, part, now)
    return (*_announcements(cluster, conditions, reports), *written) if written else ()


def _unless_stopped(found: Wanted) -> Wanted:
    """Return the condition as found while it holds: nothing is amiss when servers stop on wish."""
    told = "spec.stopped: the servers are stopped; the volumes keep the data."
    return found if found.status == "True" else Wanted(found.type, "False", STOPPED, told)


def _unless_restoring(found: Wanted, step: RestoreStep | None) -> Wanted:
    """Return the condition as found while it holds: clients are not served, and that is meant."""
    told = f"A restore is under way ({step}): clients are not served until it is over."
    return found if found.status == "True" else Wanted(found.type, "False", RESTORING, told)


def server_reports(
    cluster: ZooKeeperCluster, pods: Sequence[SeenPod], answers: Mapping[str, Answer]
) -> tuple[ServerReport, ...]:
    """Return one report for every member and every pod, in the order of their ids."""
    by_name = {pod.name: pod for pod in pods}
    members = {pod_name(cluster, number - 1): number for number in voters(cluster)}
    extra = {
        pod.name: ordinal + 1
        for pod in pods
        if (ordinal := ordinal_of(cluster, pod.name)) is not None
    }
    ids = sorted({**extra, **members}.items(), key=lambda item: item[1])
    absent = IS_STOPPED if cluster.spec.stopped else NO_POD
    return tuple(
        _report(number, name, by_name.get(name), answers.get(name), absent) for name, number in ids
    )


def _report(
    number: int, name: str, pod: SeenPod | None, answer: Answer | None, absent: str
) -> ServerReport:
    if pod is None:
        return ServerReport(number, name, "unknown", False, absent)
    if isinstance(answer, ServerStats) and answer.mode:
        message = "is being stopped" if pod.is_deleting else ""
        ready = pod.is_ready and not pod.is_deleting
        return ServerReport(number, name, answer.mode, ready, message, answer.version, answer.zxid)
    if pod.is_deleting:
        return ServerReport(number, name, "unknown", False, "is being stopped")
    if isinstance(answer, ServerStats):
        return ServerReport(number, name, "unknown", False, "runs without a quorum")
    message = pod.trouble or (answer if pod.is_ready else "") or "is starting"
    return ServerReport(number, name, "unknown", False, message, is_unreachable=pod.is_ready)


def available(cluster: ZooKeeperCluster, reports: Sequence[ServerReport]) -> Wanted:
    """Return whether clients are served: a majority of the voters serves and one leads."""
    member_ids = voters(cluster)
    serving = [r for r in reports if r.is_voting and r.id in member_ids]
    count, needed = len(member_ids), quorum(len(member_ids))
    told = f"{len(serving)} of {counted(count, 'voter')} serve"
    if len(serving) >= needed and leader(reports) is not None:
        return Wanted(AVAILABLE, "True", "QuorumServes", f"{told}, {needed} are needed.")
    silent = [r.name for r in reports if r.is_unreachable and r.id in member_ids]
    if len(silent) >= needed:
        return Wanted(AVAILABLE, "Unknown", "Unreachable", _silence(silent))
    missing = list(_missing(cluster, reports))
    if len(serving) >= needed:
        missing.append("no server leads")
    told = f"{told}, {needed} are needed: {'; '.join(missing)}.{_pointer(cluster)}"
    return Wanted(AVAILABLE, "False", "NoQuorum", told)


def _silence(names: Sequence[str]) -> str:
    """Return what is the case with ready pods that nobody hears: the two cannot be told apart."""
    return (
        f"The pods {', '.join(names)} are ready, but do not answer the functions: the servers "
        "hang, or the functions cannot reach their addresses."
    )


def _pointer(cluster: ZooKeeperCluster) -> str:
    """Return where a person reads on when it will not heal by itself."""
    lost = cluster.status.incident
    return " The condition Scaled says which disks are lost and what can be done." if lost else ""


def quorum_healthy(cluster: ZooKeeperCluster, reports: Sequence[ServerReport]) -> Wanted:
    """Return whether every voter serves, so that one more may be lost."""
    missing = _missing(cluster, reports)
    count = len(voters(cluster))
    if not missing:
        return Wanted(QUORUM_HEALTHY, "True", "AllServe", _all_serve(count))
    told = f"{count - len(missing)} of {counted(count, 'voter')} serve: {'; '.join(missing)}."
    reason = "NoQuorum" if count - len(missing) < quorum(count) else "ServersMissing"
    return Wanted(QUORUM_HEALTHY, "False", reason, told)


def _all_serve(count: int) -> str:
    return "The only voter serves." if count == 1 else f"All {count} voters serve."


def _missing(cluster: ZooKeeperCluster, reports: Sequence[ServerReport]) -> tuple[str, ...]:
    member_ids = voters(cluster)
    return tuple(
        f"{report.name} {report.message.rstrip('.') or _why_no_vote(report)}"
        for report in reports
        if report.id in member_ids and not report.is_voting
    )


def _why_no_vote(report: ServerReport) -> str:
    return "observes without a vote" if report.mode == "observer" else "does not serve"


def leader(reports: Sequence[ServerReport]) -> ServerReport | None:
    """Return the leader; of two that say so the one of the later epoch (the other is deposed)."""
    leading = [report for report in reports if report.mode in ("leader", "standalone")]
    return max(leading, key=lambda report: report.zxid >> 32, default=None)


def _fields(cluster: ZooKeeperCluster, reports: Sequence[ServerReport]) -> Manifest:
    leading = leader(reports)
    return {
        "replicas": cluster.spec.replicas,
        "readyReplicas": sum(report.is_ready for report in reports),
        "servers": [report.entry() for report in reports],
        "leader": leading.name if leading is not None else None,
        "version": _oldest([report.version for report in reports if report.version]),
    }


def _oldest(versions: Sequence[str]) -> str | None:
    """Return the smallest version; while a roll is under way the servers differ."""
    return min(versions, key=lambda v: [int(n) for n in re.findall(r"\d+", v)[:3]], default=None)


def _announcements(
    cluster: ZooKeeperCluster, conditions: Sequence[Wanted], reports: Sequence[ServerReport]
) -> Plan:
    told: list[Announce] = []
    for wanted in conditions:
        is_wish = wanted.reason in (STOPPED, RESTORING)
        if has_turned(cluster, wanted) and _is_news(cluster, wanted):
            told.append(
                Announce(
                    "Normal" if wanted.status == "True" or is_wish else "Warning",
                    _event_reason(wanted),
                    wanted.message,
                    since(cluster, wanted.type),
                )
            )
    leading = leader(reports)
    if leading is not None and leading.name != cluster.status.leader:
        told.append(
            Announce(
                "Normal",
                "LeaderElected",
                f"{leading.name} leads the ensemble.",
                cluster.status.leader or "",
            )
        )
    return tuple(told)


def _is_news(cluster: ZooKeeperCluster, wanted: Wanted) -> bool:
    """Whether a person wants to hear of it: a cluster that has yet to start has lost nothing."""
    bootstrap, operation = cluster.status.bootstrap, cluster.status.operation
    if wanted.type == SPREAD:
        return wanted.status == "False"
    if wanted.status == "True":
        return True
    if wanted.reason in (STOPPED, RESTORING) and wanted.type != AVAILABLE:
        return False  # One Event tells it.
    if wanted.reason == "ServersMissing" and operation is not None:
        return False  # One server at a time is missing on purpose.
    return bootstrap is not None and bootstrap.state != "open"


def _event_reason(wanted: Wanted) -> str:
    match wanted.type, wanted.status:
        case "Available", "True":
            return "QuorumFormed"
        case "QuorumHealthy", "True":
            return "AllServersServe"
        case _:
            return wanted.reason
