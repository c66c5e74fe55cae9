"""`kubectl zk events`: what was told of a cluster, its pods, backups and restores, in one list."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import BACKUP, CLUSTER, EVENT, KINDS, RESTORE, Kind, Ref
from functions.api.manifest import Manifest
from functions.manifests.owned import is_part_of
from kubectl_zk import finding
from kubectl_zk.problem import DONE
from kubectl_zk.session import Session
from kubectl_zk.words import lasted, parse_time, wrapped

POLL_SECONDS = 1.0
INDENT = 14
# The functions' Jobs, and with them their pods and CronJobs, are called after what they are for.
VERBS = {BACKUP: ("backup", "prune", "verify"), RESTORE: ("stage", "arm", "clean")}
EVER = "1970-01-01T00:00:00Z"
_BY_NAME = {kind.name: kind for kind in KINDS.values()}


@dataclass(frozen=True, slots=True)
class Told:
    """One Kubernetes Event; the same one may be told again, with a later time."""

    uid: str
    time: datetime
    type: str
    reason: str
    about: str
    message: str
    count: int


def events(session: Session, asked: argparse.Namespace) -> int:
    """Show the events so far, the newest last; with `follow` go on for ever."""
    cluster = finding.cluster(session, asked.name)
    shown: set[tuple[str, datetime]] = set()
    _show(session, _new(session, cluster, asked, shown), asked)
    while asked.follow:
        session.pause(POLL_SECONDS)
        _show(session, _new(session, cluster, asked, shown), asked)
    return DONE


def _new(
    session: Session,
    cluster: ZooKeeperCluster,
    asked: argparse.Namespace,
    shown: set[tuple[str, datetime]],
) -> list[Told]:
    """Return what was not shown yet, and note it as shown."""
    found = [
        it
        for it in _about(session, cluster)
        if (it.uid, it.time) not in shown and _is_asked_for(it, asked)
    ]
    shown |= {(it.uid, it.time) for it in found}
    return found


def _is_asked_for(told: Told, asked: argparse.Namespace) -> bool:
    """Whether it says more than that pods start as they should."""
    if told.type == "Warning":
        return True
    return not asked.warnings and (asked.all or told.about.startswith("ZooKeeper"))


def _about(session: Session, cluster: ZooKeeperCluster) -> list[Told]:
    mine = {
        Ref(CLUSTER, session.namespace, cluster.metadata.name),
        *(Ref(BACKUP, session.namespace, it.metadata.name)
          for it in finding.backups_of(session, cluster)),
        *(Ref(RESTORE, session.namespace, it.metadata.name)
          for it in finding.restores_of(session, cluster)),
    }  # fmt: skip
    found = session.kube.list(EVENT, session.namespace)
    return sorted(
        (_told(event) for event in found if _is_about(event, cluster, mine)),
        key=lambda it: it.time,
    )


def _is_about(event: Manifest, cluster: ZooKeeperCluster, mine: Iterable[Ref]) -> bool:
    about = event.get("involvedObject", {})
    kind, name = _BY_NAME.get(about.get("kind", "")), about.get("name", "")
    if kind is None:
        return False
    ref = Ref(kind, cluster.metadata.namespace, name)
    return ref in mine or is_part_of(cluster, ref) or _is_job_of(kind, name, mine)


def _is_job_of(kind: Kind, name: str, mine: Iterable[Ref]) -> bool:
    prefixes = (f"{verb}-{ref.name}" for ref in mine for verb in VERBS.get(ref.kind, ()))
    return kind.name in ("Job", "CronJob", "Pod") and name.startswith(tuple(prefixes))


def _told(event: Manifest) -> Told:
    about = event.get("involvedObject", {})
    series = event.get("series") or {}
    last = (
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp", EVER)
    )
    return Told(
        uid=event["metadata"]["uid"],
        time=parse_time(last),
        type=event.get("type", ""),
        reason=event.get("reason", ""),
        about=f"{about.get('kind', '')}/{about.get('name', '')}",
        message=event.get("message", ""),
        count=series.get("count") or event.get("count") or 1,
    )


def _show(session: Session, found: list[Told], asked: argparse.Namespace) -> None:
    terminal = session.terminal
    if terminal.is_json and asked.follow:
        for it in found:
            terminal.show(json.dumps(_as_json(it)))
    elif terminal.is_json:
        terminal.show_json({"events": [_as_json(it) for it in found]})
    elif not found and not asked.follow:
        terminal.show("No event is known. Kubernetes forgets them after an hour.")
    for it in found if not terminal.is_json else ():
        terminal.show("\n".join(_lines(it, session.now(), terminal.width)))


def _lines(told: Told, now: datetime, width: int) -> list[str]:
    ago = f"{lasted(now - told.time)} ago"
    mark = "!" if told.type == "Warning" else " "
    times = f" (x{told.count})" if told.count > 1 else ""
    text = f"{told.about} {told.reason}{times}: {' '.join(told.message.split())}"
    first, *more = wrapped(text, width, " " * INDENT)
    return [f"{mark} {ago:<{INDENT - 2}}{first.strip()}", *more]


def _as_json(told: Told) -> dict[str, object]:
    return {
        "time": told.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "type": told.type,
        "reason": told.reason,
        "object": told.about,
        "message": told.message,
        "count": told.count,
    }
