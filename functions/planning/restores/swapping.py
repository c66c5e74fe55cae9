"""From the stop of the servers to the moment clients are let in, and the way back before that.

The servers' data changes its place only after `Stop`, in their preparation. A decision to go back
is on record before the first step of the way back, and `status.restored` of the cluster before the
first step that lets clients in: whoever comes after a crash goes on in one direction.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from functions.api.cluster import ZooKeeperCluster
from functions.api.restore import ZooKeeperRestore
from functions.planning.ensemble import DiskReport, SeenServers, ServerStats
from functions.planning.restores import hold
from functions.planning.restores.decision import (
    CLEAN_UP,
    MANAGER,
    OPEN,
    RESTORED,
    START,
    START_BACK,
    STOP,
    STOP_BACK,
    VERIFY,
    Decision,
    Limits,
    failure,
    going_back,
    held_for,
    why_of,
)
from functions.planning.restores.seen import Seen
from functions.planning.restores.work import member_ids
from functions.planning.restoring import RestoreStep
from functions.planning.status import Wanted, status_manifest
from functions.planning.steps import LookAgain, Plan, WriteStatus

PAUSED = "The ZooKeeperCluster is paused: set spec.paused to false, and it goes on."


def go_forward(
    restore: ZooKeeperRestore,
    cluster: ZooKeeperCluster,
    step: RestoreStep,
    seen: Seen,
    limits: Limits,
    now: datetime,
) -> Decision:
    """Return what comes next until the restored ensemble has been looked at."""
    told = STOP if step is RestoreStep.STOP else START
    if why := _objection(restore, cluster):
        return going_back(told, why)
    if cluster.spec.paused:
        return Decision(restore.status.step or told, "running", PAUSED)
    if step is RestoreStep.STOP:
        return _stop(restore, cluster, seen, limits, now)
    return _verify(restore, cluster, seen, limits, now)


def _objection(restore: ZooKeeperRestore, cluster: ZooKeeperCluster) -> str:
    if restore.metadata.deletion_timestamp is not None:
        return "the ZooKeeperRestore was deleted."
    if cluster.metadata.deletion_timestamp is not None:
        return "the ZooKeeperCluster is being deleted."
    return ""


def _stop(
    restore: ZooKeeperRestore,
    cluster: ZooKeeperCluster,
    seen: Seen,
    limits: Limits,
    now: datetime,
) -> Decision:
    if seen.has_stopped:
        act = _move(restore, cluster, RestoreStep.START, now)
        told = "No server runs. They start with the backup's data, closed to clients."
        return Decision(START, "running", told, act)
    told = _still_there(seen)
    if _age(cluster, now) > limits.servers:
        return going_back(STOP, f"the servers did not stop in time. {told}")
    return Decision(STOP, "running", told)


def _still_there(seen: Seen) -> str:
    names = ", ".join(pod.name for pod in seen.pods)
    return f"Waits until these pods are gone: {names}." if names else "Waits for the StatefulSet."


def _verify(
    restore: ZooKeeperRestore,
    cluster: ZooKeeperCluster,
    seen: Seen,
    limits: Limits,
    now: datetime,
) -> Decision:
    """Look at the servers behind the closed port; let nobody in before all is as it should be."""
    age = _age(cluster, now)
    leader = seen.closed.leader
    if leader is not None and (fault := _fault(restore, seen, seen.closed.stats[leader])):
        return going_back(VERIFY, fault)
    missing = _not_serving(cluster, seen.closed)
    is_enough = hold.has_quorum(cluster, seen.closed) and (not missing or age > limits.last_servers)
    if is_enough:
        told = "The ensemble has the backup's data, and a new epoch. It is opened to clients."
        return Decision(VERIFY, "running", told, _settle(cluster, restore.metadata.uid))
    told = f"Waits for {', '.join(missing)} to serve behind the closed port."
    if age > limits.servers:
        return going_back(VERIFY, f"the servers did not serve in time. {told}{_trouble(seen)}")
    return Decision(START if leader is None else VERIFY, "running", f"{told}{_trouble(seen)}")


def _fault(restore: ZooKeeperRestore, seen: Seen, leader: ServerStats) -> str:
    """Return what is wrong with the ensemble that came up, or an empty string.

    Its nodes are not counted: a backup under load knows about how many there are, not exactly, and
    ephemeral ones go by themselves. Every byte of what the servers load was proven when it was
    staged; here it matters that they all loaded it.
    """
    serving = [number for number, it in seen.closed.stats.items() if it.mode]
    if strangers := [n for n in sorted(serving) if _is_strange(restore, seen.disks.get(n))]:
        names = ", ".join(f"server {number}" for number in strangers)
        return f"{names} did not start from the backup's data."
    epoch, before = leader.zxid >> 32, restore.status.epoch or 0
    if epoch <= before:
        return (
            f"the restored ensemble has the epoch {epoch}, which is not above the {before} that "
            "clients have seen."
        )
    return ""


def _is_strange(restore: ZooKeeperRestore, disk: DiskReport | None) -> bool:
    return disk is not None and disk.restored != restore.metadata.uid


def _settle(cluster: ZooKeeperCluster, uid: str) -> Plan:
    """Return the write after which there is no way back: whose data the ensemble has."""
    return (WriteStatus(status_manifest(cluster, {"restored": uid}), MANAGER), LookAgain())


def open_up(
    restore: ZooKeeperRestore,
    cluster: ZooKeeperCluster,
    step: RestoreStep,
    seen: Seen,
    limits: Limits,
    now: datetime,
) -> Decision:
    """Return what comes next once there is no way back: clients are let in, and that is seen."""
    if step is not RestoreStep.OPEN:
        act = _move(restore, cluster, RestoreStep.OPEN, now)
        return Decision(OPEN, "running", "Clients are let in.", act)
    if hold.serves_again(cluster, seen.stateful_set, seen.serving):
        told = "The ensemble serves the backup's data. What the restore left is removed."
        restored = Wanted(RESTORED, "True", "Restored", "The ensemble serves the backup's data.")
        return Decision(CLEAN_UP, "running", told, hold.release(cluster), restored=restored)
    if cluster.spec.paused:
        return Decision(OPEN, "running", PAUSED)
    missing = ", ".join(_not_serving(cluster, seen.serving))
    told = f"Clients are let in; waits for {missing} to serve them.{_trouble(seen)}"
    if _age(cluster, now) > limits.servers:
        told += (
            " This takes longer than it should. The data is the backup's, and nothing goes back "
            "by itself from here: look at these servers, and at the cluster's condition Scaled."
        )
    return Decision(OPEN, "running", told)


def go_back(
    restore: ZooKeeperRestore,
    cluster: ZooKeeperCluster,
    step: RestoreStep,
    seen: Seen,
    now: datetime,
) -> Decision:
    """Return what comes next until the servers serve their own data again."""
    why = why_of(restore)
    shown = STOP_BACK if step in (RestoreStep.START, RestoreStep.STOP_BACK) else START_BACK
    serves = hold.serves_again(cluster, seen.stateful_set, seen.serving)
    if step is RestoreStep.START_BACK and serves:
        return failure(START_BACK, f"The restore did not take place: {why} The own data serves.")
    if cluster.spec.paused:
        return Decision(shown, "running", f"{PAUSED} The own data comes back: {why}")
    following = hold.step_back(step, is_empty=seen.has_stopped)
    told = f"The servers' own data comes back: {why}"
    if following is not None:
        return Decision(shown, "running", told, _move(restore, cluster, following, now))
    if step is RestoreStep.STOP_BACK:
        return Decision(shown, "running", f"{told} {_still_there(seen)}")
    missing = ", ".join(_not_serving(cluster, seen.serving))
    return Decision(shown, "running", f"{told} Waits for {missing}.{_trouble(seen)}")


def _move(
    restore: ZooKeeperRestore, cluster: ZooKeeperCluster, step: RestoreStep, now: datetime
) -> Plan:
    return hold.move_to(cluster, step, restore.metadata.name, restore.metadata.uid, now)


def _age(cluster: ZooKeeperCluster, now: datetime) -> timedelta:
    held = cluster.status.operation
    return held_for(held.started_at if held is not None else None, now)


def _not_serving(cluster: ZooKeeperCluster, servers: SeenServers) -> list[str]:
    serving = {number for number, it in servers.stats.items() if it.mode}
    return [f"server {number}" for number in member_ids(cluster) if number not in serving]


def _trouble(seen: Seen) -> str:
    told = [f"{pod.name} {pod.trouble}" for pod in seen.pods if pod.trouble]
    return f" ({'; '.join(told)}.)" if told else ""
