"""`kubectl zk restore`: put a backup into an ensemble, after a question, and follow its steps."""

from __future__ import annotations

import argparse

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import RESTORE
from functions.api.manifest import Manifest
from kubectl_zk import finding, stores
from kubectl_zk.following import Sight, follow, phase_of, share_of
from kubectl_zk.problem import DONE, FAILED, USAGE, Problem
from kubectl_zk.session import MANAGER, Session

# What each step means to whoever watches; docs/operations/backup.md has them in full.
STEPS = {
    "Validate": "the target is looked at",
    "Stage": "the backup is brought to every volume and proven there; clients are served",
    "Wait": "it waits for what else moves the servers; clients are served",
    "Arm": "the volumes are made ready for the exchange",
    "Stop": "every server stops; clients wait",
    "Start": "the servers start from the backup, closed to clients",
    "Verify": "the restored ensemble is looked at, closed to clients",
    "Open": "clients are let in; from here there is no way back",
    "CleanUp": "what was there before is removed; clients are served",
    "Done": "it is over",
    "StopBack": "it goes back: every server stops",
    "StartBack": "it goes back: the servers start with their own data",
}
ORDER = tuple(STEPS)[:10]


def restore(session: Session, asked: argparse.Namespace) -> int:
    cluster = finding.cluster(session, asked.name)
    source, about = _source(session, cluster, asked)
    if not asked.stage_only and not _is_agreed(session, cluster, about, asked):
        session.terminal.say("Nothing was done.")
        return FAILED
    name = asked.called or f"{asked.name}-{session.now():%Y%m%d-%H%M%S}"
    session.kube.create(_manifest(session, name, asked, source), manager=MANAGER)
    session.terminal.say(f"ZooKeeperRestore {name} is made: {about} goes to {asked.name}.")
    if asked.wait:
        again = (
            f"Look with `kubectl get zkrestore {name}`; deleting it brings the old data back, as "
            "long as its step is before Open."
        )
        follow(session, lambda: _look(session, name), asked.timeout, again)
    _report(session, name, asked)
    return DONE


def _source(
    session: Session, cluster: ZooKeeperCluster, asked: argparse.Namespace
) -> tuple[stores.Place, str]:
    """Return where the backup lies, its key included, and what it is in words."""
    if stores.is_given(asked):
        if asked.key == stores.LATEST:
            raise Problem("With --s3 or --oss, --key says which backup: its directory.", USAGE)
        (kind, store), *_ = stores.described(asked).items()
        return {kind: {**store, "key": asked.key}}, f"the backup {asked.key}"
    found = (
        finding.backup(session, asked.source)
        if asked.source is not None
        else stores.newest_of(session, cluster)
    )
    record = stores.record_of(found, asked.key)
    (kind, store), *_ = stores.place_of(found).items()
    # What only a target has: a source never makes a bucket.
    kept = {key: value for key, value in store.items() if key != "createBucketIfNotPresent"}
    made = f" of {record.finish_time}" if record.finish_time else ""
    return {kind: {**kept, "key": record.key}}, f"the backup {found.metadata.name}{made}"


def _is_agreed(
    session: Session, cluster: ZooKeeperCluster, about: str, asked: argparse.Namespace
) -> bool:
    if asked.yes:
        return True
    name = cluster.metadata.name
    answer = session.terminal.ask(
        f"{about[0].upper()}{about[1:]} takes the place of everything that {name} in namespace "
        f"{session.namespace} holds.\nIts {cluster.spec.replicas + cluster.spec.observers} servers "
        "stop and start once; what was written after the backup is gone. Go on?"
    )
    if answer is None:
        raise Problem(
            f"This replaces all data of {name}, and nobody is at a terminal to agree: add --yes, "
            "or --stage-only to bring the backup to the volumes and prove it there first.",
            USAGE,
        )
    return answer


def _manifest(
    session: Session, name: str, asked: argparse.Namespace, source: stores.Place
) -> Manifest:
    return {
        "apiVersion": RESTORE.api_version,
        "kind": RESTORE.name,
        "metadata": {"name": name, "namespace": session.namespace},
        "spec": {
            "rolloutRestart": not asked.stage_only,
            "source": source,
            "target": {"name": asked.name},
        },
    }


def _look(session: Session, name: str) -> Sight:
    found = finding.restore(session, name)
    told, step = found.status, found.status.step or "Validate"
    has_failed = told.status == "failed"
    wanted = "restarted" if found.spec.rollout_restart else "completed"
    doing = phase_of(told.progress) or told.message or STEPS.get(step, "")
    return Sight(
        lines=(f"  {step:<10}{STEPS.get(step, '')}",),
        share=_share(step, told.progress),
        now=f"{step}: {doing}",
        is_over=told.status == wanted,
        failure=f"ZooKeeperRestore {name} failed: {told.message}" if has_failed else "",
    )


def _share(step: str, progress: str | None) -> float | None:
    if step not in ORDER:
        return None
    return (ORDER.index(step) + (share_of(progress) or 0.0)) / len(ORDER)


def _report(session: Session, name: str, asked: argparse.Namespace) -> None:
    told = finding.restore(session, name).status
    if session.terminal.is_json:
        made = {"name": name, "status": told.status, "step": told.step, "isOver": asked.wait}
        more = {"zxid": told.zxid, "nodes": told.nodes, "warnings": list(told.warnings)}
        session.terminal.show_json({"restore": {**made, **more}})
        return
    for warning in told.warnings if asked.wait else ():
        session.terminal.show(f"Note: {warning}")
    if asked.wait and asked.stage_only:
        session.terminal.show(
            "It is on every volume, and proven. Put it in place with: kubectl patch zkrestore "
            f'{name} --type=merge -p \'{{"spec":{{"rolloutRestart":true}}}}\''
        )
    elif asked.wait:
        session.terminal.show(f"{asked.name} serves the backup, up to zxid {told.zxid}.")
