"""`kubectl zk roll`: restart every server, one at a time, and watch it pod by pod."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import CLUSTER, POD, Ref
from functions.manifests.names import selector
from functions.planning.seen import SeenPod, seen_pod
from functions.planning.status import RECONCILED, seen_condition, timestamp
from kubectl_zk import finding
from kubectl_zk.following import Sight, follow
from kubectl_zk.problem import DONE, Problem
from kubectl_zk.session import MANAGER, Session

UPDATED = "Updated"


def roll(session: Session, asked: argparse.Namespace) -> int:
    """Set spec.restartedAt; the function `roll` does the rest."""
    cluster = finding.cluster(session, asked.name)
    _check(cluster)
    before = _pods(session, cluster)
    at = timestamp(session.now())
    ref = Ref(CLUSTER, session.namespace, asked.name)
    session.kube.patch(ref, {"spec": {"restartedAt": at}}, manager=MANAGER)
    session.terminal.say(f"{asked.name}: {len(before)} servers are to restart, the leader last.")
    if asked.wait:
        again = f"Look with `kubectl zk status {asked.name}`."
        follow(session, lambda: _look(session, asked.name, before), asked.timeout, again)
        session.terminal.say(f"{asked.name}: every server runs in a new pod.")
    if session.terminal.is_json:
        told = {"name": asked.name, "restartedAt": at, "servers": sorted(before)}
        session.terminal.show_json({"roll": {**told, "isOver": asked.wait}})
    return DONE


def _check(cluster: ZooKeeperCluster) -> None:
    name = cluster.metadata.name
    if cluster.spec.paused:
        raise Problem(
            f"{name} is paused, so nothing is restarted. Set spec.paused to false first: "
            f'kubectl patch zkcluster {name} --type=merge -p \'{{"spec":{{"paused":false}}}}\''
        )
    if cluster.spec.stopped:
        raise Problem(f"{name} is stopped: no server runs. Start it: kubectl zk wake {name}")


def _look(session: Session, name: str, before: Mapping[str, SeenPod]) -> Sight:
    cluster, pods = finding.cluster(session, name), _pods(session, finding.cluster(session, name))
    done = [pod for pod in pods.values() if _is_done(pod, before)]
    lines = [line for pod in pods.values() if (line := _line(pod, before, cluster))]
    updated = seen_condition(cluster, UPDATED)
    return Sight(
        lines=tuple(lines),
        share=len(done) / max(len(before), 1),
        now=updated.message if updated is not None and updated.status != "True" else "",
        is_over=_is_over(cluster) and len(done) == len(pods),
    )


def _line(pod: SeenPod, before: Mapping[str, SeenPod], cluster: ZooKeeperCluster) -> str:
    old = before.get(pod.name)
    if old is None or old.uid == pod.uid:
        return f"  {pod.name}  stops" if pod.is_deleting else ""
    if pod.trouble:
        return f"  {pod.name}  does not start: {pod.trouble}"
    if not pod.is_ready:
        return f"  {pod.name}  starts anew"
    told = next((s for s in cluster.status.servers if s.name == pod.name), None)
    if told is None or told.ready != "true":
        return ""
    return f"  {pod.name}  serves again"


def _is_done(pod: SeenPod, before: Mapping[str, SeenPod]) -> bool:
    old = before.get(pod.name)
    return pod.is_ready and not pod.is_deleting and (old is None or old.uid != pod.uid)


def _is_over(cluster: ZooKeeperCluster) -> bool:
    """Whether the functions have followed this spec to its end."""
    told = [seen_condition(cluster, kind) for kind in (RECONCILED, UPDATED)]
    return cluster.status.operation is None and all(
        it is not None
        and it.status == "True"
        and it.observed_generation == cluster.metadata.generation
        for it in told
    )


def _pods(session: Session, cluster: ZooKeeperCluster) -> dict[str, SeenPod]:
    found = session.kube.list(POD, cluster.metadata.namespace, selector(cluster))
    return {pod.name: pod for pod in (seen_pod(it) for it in found)}
