"""`kubectl zk stop` and `wake`: run no server for a while, keep the data, and come back."""

from __future__ import annotations

import argparse

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import CLUSTER, POD, Ref
from functions.manifests.names import selector
from functions.planning.status import seen_condition
from kubectl_zk import finding
from kubectl_zk.following import Sight, follow
from kubectl_zk.problem import DONE, Problem
from kubectl_zk.session import MANAGER, Session


def stop(session: Session, asked: argparse.Namespace) -> int:
    return _turn(session, asked, is_stopped=True)


def wake(session: Session, asked: argparse.Namespace) -> int:
    return _turn(session, asked, is_stopped=False)


def _turn(session: Session, asked: argparse.Namespace, *, is_stopped: bool) -> int:
    cluster = finding.cluster(session, asked.name)
    if cluster.spec.paused:
        raise Problem(f"{asked.name} is paused: set spec.paused to false first.")
    ref = Ref(CLUSTER, session.namespace, asked.name)
    if cluster.spec.stopped != is_stopped:
        session.kube.patch(ref, {"spec": {"stopped": is_stopped}}, manager=MANAGER)
    session.terminal.say(f"{asked.name}: {'every server stops' if is_stopped else 'it wakes'}.")
    if asked.wait:
        again = f"Look with `kubectl zk status {asked.name}`."
        look = _look_stopping if is_stopped else _look_waking
        follow(session, lambda: look(session, asked.name), asked.timeout, again)
        session.terminal.say(f"{asked.name}: {_done(is_stopped=is_stopped)}")
    if session.terminal.is_json:
        told = {"name": asked.name, "stopped": is_stopped, "isOver": asked.wait}
        session.terminal.show_json({"stop" if is_stopped else "wake": told})
    return DONE


def _done(*, is_stopped: bool) -> str:
    return "no server runs; the volumes and the member list stay." if is_stopped else "it serves."


def _look_stopping(session: Session, name: str) -> Sight:
    cluster = finding.cluster(session, name)
    pods = session.kube.list(POD, session.namespace, selector(cluster))
    told = seen_condition(cluster, "Scaled")
    is_said = told is not None and told.reason == "Stopped" and _is_of_now(cluster, "Scaled")
    all_of_them = cluster.spec.replicas + cluster.spec.observers
    return Sight(
        lines=(f"  {len(pods)} servers still run",) if pods else (),
        share=1 - len(pods) / max(all_of_them, 1),
        now=told.message if told is not None and not is_said else "",
        is_over=is_said and not pods,
    )


def _look_waking(session: Session, name: str) -> Sight:
    cluster = finding.cluster(session, name)
    told = cluster.status
    wanted = cluster.spec.replicas + cluster.spec.observers
    lines = [f"  {it.name}  {it.mode}, ready" for it in told.servers if it.ready == "true"]
    unmet = [it.message for it in told.conditions if it.status != "True"]
    is_well = all(
        _is_true(cluster, kind) for kind in ("Reconciled", "Scaled", "QuorumHealthy", "Available")
    )
    return Sight(
        lines=tuple(lines),
        share=(told.ready_replicas or 0) / wanted,
        now=unmet[0] if unmet else "",
        is_over=is_well and told.ready_replicas == wanted,
    )


def _is_true(cluster: ZooKeeperCluster, kind: str) -> bool:
    told = seen_condition(cluster, kind)
    return told is not None and told.status == "True" and _is_of_now(cluster, kind)


def _is_of_now(cluster: ZooKeeperCluster, kind: str) -> bool:
    told = seen_condition(cluster, kind)
    return told is not None and told.observed_generation == cluster.metadata.generation
