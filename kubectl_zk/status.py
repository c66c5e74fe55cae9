"""`kubectl zk status`: one ensemble on one screen, or all of them as a table."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import datetime

from functions.api.backup import ZooKeeperBackup
from functions.api.cluster import ZooKeeperCluster
from functions.api.restore import ZooKeeperRestore
from kubectl_zk import finding
from kubectl_zk.counters import Counters
from kubectl_zk.overview import Overview, Server, is_as_wanted, is_behind, look, unmet
from kubectl_zk.problem import DONE, Problem
from kubectl_zk.session import Session
from kubectl_zk.status_json import as_json, row_as_json
from kubectl_zk.words import since, sized, table, wrapped

MOST_RESTORES = 3
OVER = ("completed", "failed", "restarted")


def status(session: Session, asked: argparse.Namespace) -> int:
    """Show the named cluster, the only one, or a line for each."""
    found = _chosen(session, asked)
    if isinstance(found, ZooKeeperCluster):
        _show(session, look(session, found))
        return DONE
    if session.terminal.is_json:
        session.terminal.show_json({"clusters": [row_as_json(it) for it in found]})
        return DONE
    rows = [_row(it, session.now(), asked.all_namespaces) for it in found]
    heads = ("NAME", "READY", "LEADER", "VERSION", "OPERATION", "NOT AS WANTED", "AGE")
    session.terminal.show("\n".join(table(heads, rows)))
    return DONE


def _chosen(
    session: Session, asked: argparse.Namespace
) -> ZooKeeperCluster | list[ZooKeeperCluster]:
    if asked.name is not None:
        return finding.cluster(session, asked.name)
    found = finding.clusters(session, None if asked.all_namespaces else session.namespace)
    if not found:
        where = "" if asked.all_namespaces else f" in namespace {session.namespace}"
        raise Problem(f"There is no ZooKeeperCluster{where}. Look with -A, or create one.")
    return found[0] if len(found) == 1 and not asked.all_namespaces else found


def _row(cluster: ZooKeeperCluster, now: datetime, has_namespace: bool) -> list[str]:
    told, metadata = cluster.status, cluster.metadata
    return [
        f"{metadata.namespace}/{metadata.name}" if has_namespace else metadata.name,
        f"{told.ready_replicas or 0}/{cluster.spec.replicas + cluster.spec.observers}",
        told.leader or "-",
        told.version or "-",
        told.operation.type if told.operation is not None else "-",
        ",".join(it.reason for it in unmet(cluster))
        or ("NotSeenYet" if is_behind(cluster) else "-"),
        since(metadata.creation_timestamp, now),
    ]


def _show(session: Session, seen: Overview) -> None:
    if session.terminal.is_json:
        session.terminal.show_json(as_json(seen))
        return
    session.terminal.show("\n".join(screen(seen, session.now(), session.terminal.width)))


def screen(seen: Overview, now: datetime, width: int) -> Iterator[str]:
    """Yield the lines of the one screen."""
    yield from _head(seen.cluster, now)
    yield ""
    yield from _servers(seen.servers, width)
    yield ""
    yield from _operation(seen.cluster, now, width)
    if seen.backups:
        yield ""
        yield from _backups(seen.backups, now, width)
    if under_way := _restores(seen.restores):
        yield ""
        yield from _restore_lines(under_way, now, width)
    yield ""
    yield from _conditions(seen.cluster, now)
    yield from _waits(seen, width)
    for told in seen.unread:
        yield f"Not shown: {told}."


def _head(cluster: ZooKeeperCluster, now: datetime) -> Iterator[str]:
    told, metadata = cluster.status, cluster.metadata
    wanted = cluster.spec.replicas + cluster.spec.observers
    age = since(metadata.creation_timestamp, now)
    flags = [word for word, is_so in _flags(cluster) if is_so]
    more = f" [{', '.join(flags)}]" if flags else ""
    yield f"ZooKeeperCluster {metadata.namespace}/{metadata.name}, {age} old{more}"
    leader = f"{told.leader} leads" if told.leader else "nobody leads"
    version = f"ZooKeeper {told.version or cluster.zookeeper_version() or '?'}"
    yield f"  {told.ready_replicas or 0} of {wanted} servers serve, {leader}, {version}"
    if told.endpoints is not None and told.endpoints.client:
        yield f"  clients: {told.endpoints.client}"


def _flags(cluster: ZooKeeperCluster) -> Sequence[tuple[str, bool]]:
    return (
        ("paused", cluster.spec.paused),
        ("stopped", cluster.spec.stopped),
        ("being deleted", cluster.metadata.deletion_timestamp is not None),
    )


def _servers(servers: Sequence[Server], width: int) -> Iterator[str]:
    heads = ("SERVER", "ID", "ROLE", "ZXID", "LAG", "CLIENTS", "LATENCY", "QUEUE", "NODE")
    if not servers:
        yield "No server runs."
        return
    yield from table(heads, [_server_row(server) for server in servers])
    reasons: dict[str, list[str]] = {}
    for server in servers:
        if reason := _reason(server):
            reasons.setdefault(reason, []).append(server.told.name)
    for reason, names in reasons.items():
        yield from wrapped(f"{', '.join(names)}: {reason}", width)


def _reason(server: Server) -> str:
    """Return why it does not serve, or else why it could not be asked."""
    if server.told.ready != "true" and server.told.message:
        return server.told.message
    return f"not asked, {server.answer}" if isinstance(server.answer, str) else ""


def _server_row(server: Server) -> list[str]:
    told, answer = server.told, server.answer
    node = server.pod.node if server.pod is not None else ""
    role = "not serving" if told.mode == "unknown" else told.mode
    head = [told.name, told.my_id or "-", role]
    if isinstance(answer, str):
        return [*head, "-", "-", "-", "-", "-", node or "-"]
    return [
        *head,
        f"{answer.zxid:#x}",
        _lag(answer),
        str(answer.stats.connections),
        f"{answer.latency:.3g}ms",
        str(answer.outstanding),
        node or "-",
    ]


def _lag(answer: Counters) -> str:
    return str(answer.lag) if answer.lag is not None else "-"


def _operation(cluster: ZooKeeperCluster, now: datetime, width: int) -> Iterator[str]:
    held = cluster.status.operation
    if held is None:
        yield "Operation: none"
        return
    begun = f", since {since(held.started_at, now)}" if held.started_at else ""
    yield f"Operation: {held.type}, step {held.step or '-'}{begun}"
    if held.target:
        yield from wrapped(f"target: {held.target}", width)
    if held.message:
        yield from wrapped(f"waits: {held.message}", width)


def _backups(backups: Sequence[ZooKeeperBackup], now: datetime, width: int) -> Iterator[str]:
    heads = ("BACKUP", "SCHEDULE", "STATUS", "NEWEST", "SIZE", "PROVEN", "KEPT")
    yield from table(heads, [_backup_row(it, now) for it in backups])
    for it in backups:
        if it.status.message and it.status.status in ("failed", "pending", "running"):
            yield from wrapped(f"{it.metadata.name}: {it.status.message}", width)


def _backup_row(backup: ZooKeeperBackup, now: datetime) -> list[str]:
    told = backup.status
    newest = told.record[-1] if told.record else None
    return [
        backup.metadata.name,
        backup.spec.schedule or "once",
        told.status or "-",
        since(newest.finish_time if newest is not None else None, now),
        sized(newest.size if newest is not None else None),
        ("yes" if newest.verified else "no") if newest is not None else "-",
        str(len(told.record)),
    ]


def _restores(restores: Sequence[ZooKeeperRestore]) -> list[ZooKeeperRestore]:
    """Return those under way, and the last that are over."""
    ordered = sorted(restores, key=lambda it: it.metadata.creation_timestamp or "")
    return ordered[-MOST_RESTORES:] + [
        it for it in ordered[:-MOST_RESTORES] if it.status.status not in OVER
    ]


def _restore_lines(
    restores: Sequence[ZooKeeperRestore], now: datetime, width: int
) -> Iterator[str]:
    rows = [
        [
            it.metadata.name,
            it.status.status or "-",
            it.status.step or "-",
            since(it.status.since, now),
        ]
        for it in restores
    ]
    yield from table(("RESTORE", "STATUS", "STEP", "SINCE"), rows)
    for it in restores:
        if it.status.message and it.status.status not in ("completed", "restarted"):
            yield from wrapped(f"{it.metadata.name}: {it.status.message}", width)


def _conditions(cluster: ZooKeeperCluster, now: datetime) -> Iterator[str]:
    rows = [
        [it.type, it.status, since(it.last_transition_time, now), it.reason]
        for it in cluster.status.conditions
    ]
    if not rows:
        yield "No function has looked at it yet: see `kubectl get ksvc -n zookeeper-functions`."
        return
    yield from table(("CONDITION", "STATUS", "SINCE", "REASON"), rows)


def _waits(seen: Overview, width: int) -> Iterator[str]:
    if seen.functions_missing_from is not None:
        yield from wrapped(
            f"No functions are installed in namespace {seen.functions_missing_from}: the status "
            "above is as they left it, and nothing is done for this ensemble "
            "(docs/operations/install.md).",
            width,
        )
    elif is_as_wanted(seen.cluster):
        yield "All is as wanted."
    elif is_behind(seen.cluster) and seen.cluster.status.conditions:
        yield "The spec is newer than what is told here: the functions are yet to look at it."
    for it in unmet(seen.cluster):
        yield from wrapped(f"{it.type}: {it.message or it.reason}", width)
