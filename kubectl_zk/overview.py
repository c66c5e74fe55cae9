"""What `status` shows of one ensemble: its status, and what its servers say when they are asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from functions.api.backup import ZooKeeperBackup
from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import MissingRight, Unavailable
from functions.api.kinds import POD
from functions.api.restore import ZooKeeperRestore
from functions.api.status import Condition
from functions.api.status import Server as StatusOfServer
from functions.manifests.names import ordinal_of, selector
from functions.planning.advice import SPEC_SAFE
from functions.planning.seen import SeenPod, seen_pod
from functions.runtime.reading import port_to_ask
from kubectl_zk import finding
from kubectl_zk.counters import Counters
from kubectl_zk.installed import missing_from
from kubectl_zk.problem import may_not
from kubectl_zk.session import Session

MOST_AT_ONCE = 8
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Server:
    """One server as status has it, its pod, and its own answer or why there is none."""

    told: StatusOfServer
    pod: SeenPod | None
    answer: Counters | str


@dataclass(frozen=True, slots=True)
class Overview:
    cluster: ZooKeeperCluster
    servers: tuple[Server, ...]
    backups: tuple[ZooKeeperBackup, ...]
    restores: tuple[ZooKeeperRestore, ...]
    unread: tuple[str, ...] = ()
    # A namespace, when nobody looks after the cluster.
    functions_missing_from: str | None = None


def look(session: Session, cluster: ZooKeeperCluster) -> Overview:
    """Read everything about a cluster; what the person may not see is left out, and said."""
    unread: list[str] = []
    nobody: Mapping[str, SeenPod] = {}
    pods = _tried(lambda: _pods(session, cluster), nobody, unread)
    return Overview(
        cluster=cluster,
        servers=_servers(session, cluster, pods),
        backups=tuple(_tried(lambda: finding.backups_of(session, cluster), [], unread)),
        restores=tuple(_tried(lambda: finding.restores_of(session, cluster), [], unread)),
        unread=tuple(unread),
        functions_missing_from=missing_from(session, cluster),
    )


def unmet(cluster: ZooKeeperCluster) -> list[Condition]:
    """Return the conditions that are not as wanted: all are wanted to be True, and are False in a
    stopped ensemble as its owner asked."""
    asked_for = "Stopped" if cluster.spec.stopped else None
    return [
        it for it in cluster.status.conditions if it.status != "True" and it.reason != asked_for
    ]


def is_behind(cluster: ZooKeeperCluster) -> bool:
    """Whether some function has not looked at the newest spec yet."""
    told, generation = cluster.status.conditions, cluster.metadata.generation
    return not told or any(it.observed_generation != generation for it in told)


def is_as_wanted(cluster: ZooKeeperCluster) -> bool:
    """Whether all is done that the spec asks for; advice about the spec leaves nothing to do."""
    return not is_behind(cluster) and all(it.type == SPEC_SAFE for it in unmet(cluster))


def _tried(read: Callable[[], T], otherwise: T, unread: list[str]) -> T:
    try:
        return read()
    except MissingRight as error:
        unread.append(may_not(str(error)))
        return otherwise


def _pods(session: Session, cluster: ZooKeeperCluster) -> Mapping[str, SeenPod]:
    found = session.kube.list(POD, cluster.metadata.namespace, selector(cluster))
    pods = (seen_pod(pod) for pod in found)
    return {pod.name: pod for pod in pods if ordinal_of(cluster, pod.name) is not None}


def _servers(
    session: Session, cluster: ZooKeeperCluster, pods: Mapping[str, SeenPod]
) -> tuple[Server, ...]:
    told = {server.name: server for server in cluster.status.servers}
    # A pod that status does not have yet is shown, too.
    names = sorted(told.keys() | pods.keys(), key=lambda name: ordinal_of(cluster, name) or 0)
    port = cluster.spec.config.client_port
    answers = _answers(session, [pods.get(name) for name in names], port)
    return tuple(
        Server(told.get(name) or StatusOfServer(name=name), pods.get(name), answer)
        for name, answer in zip(names, _with_lag(answers), strict=True)
    )


def _answers(session: Session, pods: Sequence[SeenPod | None], port: int) -> list[Counters | str]:
    if not pods:
        return []
    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(pods))) as threads:
        return list(threads.map(lambda pod: _ask(session, pod, port), pods))


def _ask(session: Session, pod: SeenPod | None, port: int) -> Counters | str:
    if pod is None or not pod.address:
        return "its pod has no address" if pod is not None else "there is no pod to ask"
    try:
        answer = session.servers.counters(pod.address, port_to_ask(pod, port))
    except Unavailable as error:
        return may_not(str(error))
    return answer if answer.stats.mode else "it serves nobody"


def _with_lag(answers: Sequence[Counters | str]) -> list[Counters | str]:
    """Return the answers, each with how far it is behind the leader of the latest epoch."""
    leading = [it.zxid for it in answers if isinstance(it, Counters) and it.leads]
    if not leading:
        return list(answers)
    newest = max(leading)
    return [_behind(it, newest) if isinstance(it, Counters) else it for it in answers]


def _behind(answer: Counters, newest: int) -> Counters:
    """Return it with its lag; all are asked at nearly the same moment.

    Transactions are counted from the beginning of an epoch, and a server that serves has everything
    of the epochs before: it got that from the leader first.
    """
    beginning = newest >> 32 << 32
    return replace(answer, lag=max(0, newest - max(answer.zxid, beginning)))
