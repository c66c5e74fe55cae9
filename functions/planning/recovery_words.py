"""What a person is told about a lost majority: which server holds what, and what can be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from functions.api.cluster import ZooKeeperCluster
from functions.api.status import RecoveryStatus
from functions.manifests.names import pod_name
from functions.planning.ensemble import DiskReport
from functions.planning.losses import Losses, age
from functions.planning.membership import counted

PAGE = "docs/operations/lost-majority.md"


def loss(cluster: ZooKeeperCluster, losses: Losses, incident: str) -> str:
    """Return the whole story: what is lost, what is left, what is not known, what to do."""
    return " ".join(
        (
            _lost(cluster, losses),
            *_left(cluster, losses),
            *_not_known(cluster, losses),
            _way_out(cluster, losses, incident),
            *_other_incident(cluster, incident),
            f"See {PAGE}.",
        )
    )


def _lost(cluster: ZooKeeperCluster, losses: Losses) -> str:
    names = _names(cluster, losses.empty)
    gone = " (ephemeral storage goes with its pod)" if cluster.spec.storage.ephemeral else ""
    if len(losses.voters) == 1:
        return f"{names}, the only server, has lost its disk{gone}: nothing is served."
    count = len(losses.voters - losses.empty)
    may_vote = f"{count} of {counted(len(losses.voters), 'voter')} may vote"
    return (
        f"{names} {'has' if len(losses.empty) == 1 else 'have'} lost the data on disk{gone}: "
        f"{may_vote}, {losses.quorum} are needed, so nothing is served."
    )


def _left(cluster: ZooKeeperCluster, losses: Losses) -> tuple[str, ...]:
    held = [_holds(cluster, number, report) for number, report in sorted(losses.holders.items())]
    if losses.blank:
        verb = "holds" if len(losses.blank) == 1 else "hold"
        held.append(f"{_names(cluster, losses.blank)} {verb} no transaction yet.")
    held += [
        _holds(cluster, number, report, ", without a vote,")
        for number, report in sorted(losses.others.items())
    ]
    return tuple(held)


def _holds(cluster: ZooKeeperCluster, number: int, report: DiskReport, what: str = "") -> str:
    return f"{_name(cluster, number)}{what} holds data up to {_zxid(report)}."


def _not_known(cluster: ZooKeeperCluster, losses: Losses) -> tuple[str, ...]:
    return tuple(
        f"{_name(cluster, number)} is unknown: it {why}."
        for number, why in sorted(losses.unknown.items())
    )


def _way_out(cluster: ZooKeeperCluster, losses: Losses, incident: str) -> str:
    back = "Restore a backup" if cluster.spec.storage.ephemeral else "Bring a lost disk back"
    if losses.unknown:
        return f"{_give_up(cluster, losses)} {back}, if that brings nothing."
    if not losses.holders:
        return (
            f"No disk holds data to go on from. {back}, or delete the cluster and its volume "
            "claims and create it anew."
        )
    newest = _name(cluster, max(losses.holders, key=lambda number: age(losses.holders[number])))
    other = "" if cluster.spec.storage.ephemeral else ", or restore a backup"
    return (
        f"{back}{other}, or accept that newer writes are lost and go on with what is left: set "
        f"spec.recovery to {{incident: {incident}, continueFrom: {newest}}}."
    )


def _other_incident(cluster: ZooKeeperCluster, incident: str) -> tuple[str, ...]:
    asked = cluster.spec.recovery
    if asked is None or asked.incident == incident:
        return ()
    return (f"spec.recovery quotes another incident ({asked.incident}) and has no effect.",)


def _give_up(cluster: ZooKeeperCluster, losses: Losses) -> str:
    names = _names(cluster, losses.unknown)
    return f"Bring {names} back, or give the disk up for lost: delete its volume claim and its pod."


def refusal(cluster: ZooKeeperCluster, losses: Losses, continue_from: str) -> str:
    """Return why a person's decision is not carried out, or an empty string."""
    told = _refused(cluster, losses, continue_from)
    return f"spec.recovery is not carried out: {told}" if told else ""


def _refused(cluster: ZooKeeperCluster, losses: Losses, continue_from: str) -> str:
    holders = {_name(cluster, number): report for number, report in losses.holders.items()}
    if losses.unknown:
        return f"{_names(cluster, losses.unknown)} may hold newer data."
    if continue_from not in holders:
        return f"{continue_from} is no voter that holds data."
    chosen = holders[continue_from]
    newest = max(holders, key=lambda name: age(holders[name]))
    if age(chosen) < age(holders[newest]):
        return f"{newest} holds newer data than {continue_from}, and would lead."
    if newer := [n for n, report in losses.others.items() if age(report) > age(chosen)]:
        return (
            f"{_names(cluster, newer)} holds newer data and has no vote, so it would be lost: to "
            "accept that, delete its volume claim and its pod."
        )
    if chosen.voters != losses.voters:
        return (
            f"{continue_from}'s own member list has the voters {_ids(chosen.voters)}, and "
            f"status.members has {_ids(losses.voters)}."
        )
    return ""


def progress(recovery: RecoveryStatus) -> str:
    """Return the sentence while a recovery is under way."""
    names = _listed([volume.name for volume in recovery.volumes])
    return (
        f"The ensemble goes on from {recovery.continue_from}: {names} may vote although empty, and "
        "a majority has yet to serve."
    )


def held_by_each(cluster: ZooKeeperCluster, reports: Mapping[int, DiskReport]) -> str:
    """Return which server holds what and whom its own member list names."""
    return "; ".join(_held(cluster, number, report) for number, report in sorted(reports.items()))


def _held(cluster: ZooKeeperCluster, number: int, report: DiskReport) -> str:
    if report.is_empty:
        return f"{_name(cluster, number)} is empty"
    return (
        f"{_name(cluster, number)} holds data up to {_zxid(report)} and a list of the servers "
        f"{_ids(report.members) or 'none'}"
    )


def _zxid(report: DiskReport) -> str:
    return "an unknown zxid" if report.zxid is None else f"{report.zxid:#x}"


def _name(cluster: ZooKeeperCluster, number: int) -> str:
    return pod_name(cluster, number - 1)


def _names(cluster: ZooKeeperCluster, numbers: Iterable[int]) -> str:
    return _listed([_name(cluster, number) for number in sorted(numbers)])


def _ids(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in sorted(numbers))


def _listed(names: list[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
