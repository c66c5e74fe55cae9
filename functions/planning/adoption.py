"""Whether the volumes that a re-created cluster took up are those of one ensemble.

A server with data starts from the member list on its own disk. If the servers that list names are
not there, it waits for them for ever, so a person is told which volume holds what.
"""

from __future__ import annotations

from functions.api.cluster import ZooKeeperCluster
from functions.api.status import Bootstrap
from functions.manifests.names import pod_name
from functions.manifests.server_config import server_line
from functions.planning import recovery_words
from functions.planning.ensemble import DiskReport
from functions.planning.losses import Losses, age
from functions.planning.member_list import parse_member
from functions.planning.membership import quorum

DO_NOT_MATCH = "VolumesDoNotMatch"


def mismatch(cluster: ZooKeeperCluster, record: Bootstrap, losses: Losses) -> str:
    """Return what does not fit, or an empty string when a majority can form or fits a plain loss.

    The list of the newest data is taken for the ensemble's own: it is the one that would win.
    """
    if record.state != "adopted" or not losses.holders:
        return ""
    if told := _other_names(cluster, losses):
        return told
    newest = max(losses.holders.values(), key=age)
    wanted = newest.voters
    agreeing = {
        number
        for number in wanted & losses.voters
        if number in losses.unknown or _agrees(losses.holders.get(number), newest)
    }
    if len(agreeing) >= quorum(len(wanted)):
        return ""
    if wanted == losses.voters and wanted - agreeing <= losses.empty | losses.blank:
        return ""
    return _sentence(cluster, losses, newest)


def _other_names(cluster: ZooKeeperCluster, losses: Losses) -> str:
    """Return which server has another name or other ports in its own list than it has now."""
    for number, report in sorted(losses.holders.items()):
        now = parse_member(server_line(cluster, number - 1)).address
        known = {member.id: member.address for member in report.lines}.get(number, now)
        if known != now:
            return (
                f"{pod_name(cluster, number - 1)} is {known} in its own member list and {now} by "
                "this object, so the others would look for it in vain. Use the name, the "
                "namespace, the cluster domain and the ports of the cluster they are of."
            )
    return ""


def _agrees(report: DiskReport | None, newest: DiskReport) -> bool:
    return report is not None and report.voters == newest.voters


def _sentence(cluster: ZooKeeperCluster, losses: Losses, newest: DiskReport) -> str:
    names = ", ".join(str(number) for number in sorted(newest.members))
    held = recovery_words.held_by_each(cluster, losses.reports)
    return (
        f"The volumes that were there before this object do not make one ensemble. The newest data "
        f"is of the servers {names}; a majority of these has to be there with the same list. "
        f"{held}. Bring the right volumes back under their names, or delete the cluster and its "
        "volume claims and create it anew."
    )
