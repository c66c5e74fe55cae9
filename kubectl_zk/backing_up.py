"""`kubectl zk backup`: make a backup now, where an earlier one lies or where the flags say."""

from __future__ import annotations

import argparse

from functions.api.kinds import BACKUP
from functions.api.manifest import Manifest
from kubectl_zk import finding, stores
from kubectl_zk.following import Sight, follow, phase_of, share_of
from kubectl_zk.problem import DONE
from kubectl_zk.session import MANAGER, Session
from kubectl_zk.words import sized


def backup(session: Session, asked: argparse.Namespace) -> int:
    cluster = finding.cluster(session, asked.name)
    if asked.source is not None:
        target = stores.place_of(finding.backup(session, asked.source))
    elif stores.is_given(asked):
        target = stores.described(asked)
    else:
        target = stores.place_of(stores.newest_of(session, cluster))
    name = asked.called or f"{asked.name}-{session.now():%Y%m%d-%H%M%S}"
    session.kube.create(_manifest(session, name, asked.name, target), manager=MANAGER)
    session.terminal.say(f"ZooKeeperBackup {name} is made.")
    if asked.wait:
        again = f"Look with `kubectl get zkbackup {name}`."
        follow(session, lambda: _look(session, name), asked.timeout, again)
    _report(session, name, is_over=asked.wait)
    return DONE


def _manifest(session: Session, name: str, cluster: str, target: stores.Place) -> Manifest:
    return {
        "apiVersion": BACKUP.api_version,
        "kind": BACKUP.name,
        "metadata": {"name": name, "namespace": session.namespace},
        "spec": {"mode": "once", "source": {"name": cluster}, "target": target},
    }


def _look(session: Session, name: str) -> Sight:
    told = finding.backup(session, name).status
    has_failed = told.status == "failed"
    doing = phase_of(told.progress) or told.message or told.status or "is looked at"
    return Sight(
        lines=(f"  {doing}",) if told.status != "completed" and not has_failed else (),
        share=share_of(told.progress),
        now=doing,
        is_over=told.status == "completed",
        failure=f"ZooKeeperBackup {name} failed: {told.message}" if has_failed else "",
    )


def _report(session: Session, name: str, *, is_over: bool) -> None:
    made = finding.backup(session, name)
    record = made.status.record[-1] if made.status.record and is_over else None
    if session.terminal.is_json:
        told = {"name": name, "status": made.status.status, "isOver": is_over}
        found = record.manifest() if record is not None else None
        session.terminal.show_json({"backup": {**told, "record": found}})
        return
    if record is None:
        return
    proven = "proven" if record.verified else "not proven"
    session.terminal.show(
        f"{sized(record.size)} up to zxid {record.zxid}, from {record.server}, {proven}.\n"
        f"  key: {record.key}\n"
        f"Put it back with: kubectl zk restore {made.spec.source.name} --from {name}"
    )
