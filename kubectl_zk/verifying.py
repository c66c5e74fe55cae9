"""`kubectl zk verify`: prove a backup from its store once more, in a Job beside the functions' own.

The Job belongs to the ZooKeeperBackup and goes an hour after its end. It gets the keys of the store
from the same Secret as the backup's own Jobs: the person at the terminal needs none.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import timedelta
from typing import Any

from functions.api.backup import ZooKeeperBackup, duration
from functions.api.errors import Unavailable
from functions.api.kinds import JOB, POD, Ref
from functions.api.manifest import Manifest
from functions.backups import command
from functions.manifests.installation import Installation
from functions.manifests.job_names import job_name
from functions.manifests.store_environment import variable
from functions.manifests.store_job import StoreProgram, store_job
from functions.planning.jobs import SeenJob, seen_jobs
from functions.planning.progress import Progress
from kubectl_zk import finding, stores
from kubectl_zk.following import Sight, follow
from kubectl_zk.installed import installation
from kubectl_zk.problem import DONE, USAGE, Problem
from kubectl_zk.session import MANAGER, Session
from kubectl_zk.words import sized

PROGRAM = "verify"
KEPT = timedelta(hours=1)
LABEL = "zookeeper.example.com/verify"


def verify(session: Session, asked: argparse.Namespace) -> int:
    found = finding.backup(session, asked.name)
    record = stores.record_of(found, asked.key or stores.LATEST)
    job = verify_job(found, record.key, f"{session.now():%Y%m%d-%H%M%S}", installation(session))
    session.kube.create(job, manager=MANAGER)
    name = job["metadata"]["name"]
    session.terminal.say(f"Job {name} proves {record.key}.")
    if not asked.wait:
        return DONE
    again = f"Look with `kubectl logs job/{name}`."
    follow(session, lambda: _look(session, name), asked.timeout, again)
    _report(session, record.key, _job(session, name))
    return DONE


def verify_job(backup: ZooKeeperBackup, key: str, at: str, installation: Installation) -> Manifest:
    """Return the Job that proves one backup; the function `backup` takes it for none of its own."""
    program = StoreProgram(
        name=PROGRAM,
        image=backup.spec.image,
        env=(variable("KEY", key),),
        timeout=duration(backup.spec.timeout),
        location=backup.spec.target,
    )
    made = store_job(backup, job_name(PROGRAM, backup.metadata.name, at), program, installation)
    labels = {"app.kubernetes.io/managed-by": MANAGER, LABEL: made["metadata"]["name"]}
    owner = {key: it for key, it in made["metadata"]["ownerReferences"][0].items()}
    metadata = {**made["metadata"], "labels": labels, "ownerReferences": [_no_controller(owner)]}
    spec = made["spec"]
    template = {**spec["template"], "metadata": {"labels": labels}}
    more = {"template": template, "ttlSecondsAfterFinished": int(KEPT.total_seconds())}
    return {**made, "metadata": metadata, "spec": {**spec, **more}}


def _no_controller(owner: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in owner.items() if key != "controller"}


def _job(session: Session, name: str) -> SeenJob:
    job = session.kube.get(Ref(JOB, session.namespace, name))
    if job is None:
        raise Problem(f"The Job {name} is gone; somebody deleted it.")
    pods = session.kube.list(POD, session.namespace, {LABEL: name})
    return seen_jobs([job], pods)[0]


def _look(session: Session, name: str) -> Sight:
    job = _job(session, name)
    progress = _progress(session, job)
    said = [run.error or run.trouble for run in job.runs if run.error or run.trouble]
    has_failed = job.state == "failed"
    return Sight(
        lines=tuple(f"  {sentence}" for sentence in said) if not has_failed else (),
        share=progress.done / progress.total if progress is not None and progress.total else None,
        now=str(progress or ""),
        is_over=job.succeeded is not None,
        failure=f"NOT PROVEN: {said[-1] if said else job.reason}" if has_failed else "",
    )


def _progress(session: Session, job: SeenJob) -> Progress | None:
    if job.running is None or not job.running.address:
        return None
    try:
        return session.programs.progress(job.running.address)
    except Unavailable:
        return None


def _report(session: Session, key: str, job: SeenJob) -> None:
    assert job.succeeded is not None, "it is over"
    told = dict(job.succeeded.result or {})
    if session.terminal.is_json:
        session.terminal.show_json({"verify": {"key": key, "isProven": True, **told}})
        return
    session.terminal.show(
        f"PROVEN: {key}\n  {sized(told.get('size'))}, {told.get('nodes')} nodes, every transaction "
        f"up to zxid {told.get('zxid')}"
    )
    if told.get("warning"):
        session.terminal.show(f"  WARNING {json.dumps(told['warning'])[1:-1]}")


def verify_here(asked: argparse.Namespace) -> int:
    """Prove a backup that this machine reaches by itself: a folder, or a store with given keys."""
    if asked.folder is None and not (asked.s3 or asked.oss):
        raise Problem(
            "Say what is to be proven: a ZooKeeperBackup, or --folder DIR, or --s3 or --oss with "
            "--bucket and --key (and the keys in ACCESS_KEY and SECRET_KEY).",
            USAGE,
        )
    return command.verify(asked, lambda line: print(line, file=sys.stderr), print)
