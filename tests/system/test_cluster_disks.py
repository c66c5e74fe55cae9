"""Lost volumes: an empty disk never votes, so nothing acknowledged is forgotten without a word."""

from __future__ import annotations

import re
import sys

import pytest

from tests.system.clusters import Cluster, now

pytestmark = pytest.mark.system

LONG_ENOUGH_SECONDS = 6.0
# Runs inside the platform: prints the last zxid of one server.
SRVR = """
import re, socket, sys
with socket.create_connection((sys.argv[1], 2181), timeout=5) as connection:
    connection.sendall(b"srvr")
    print(re.search(r"Zxid: (\\S+)", connection.makefile().read())[1])
"""


def test_one_lost_volume_heals_and_after_two_a_person_says_how_to_go_on(cluster: Cluster) -> None:
    """Seed defects C6 and C7: an empty server 1 formed an ensemble of its own."""
    cluster.apply(replicas=3)
    cluster.until_settled()
    _one_heals(cluster)
    cluster.write("/acknowledged", "yes, and later too")
    incident = _two_are_told(cluster)
    before = pod_uids(cluster)
    _another_incident_counts_for_nothing(cluster)
    assert pod_uids(cluster) == before

    cluster.patch({"recovery": {"incident": incident, "continueFrom": "zk-2"}})
    status = cluster.until_settled()
    assert cluster.read("/acknowledged") == {"yes, and later too"}
    assert {"incident", "recovery", "operation"}.isdisjoint(status)
    assert "Recovered" in cluster.events()
    replaced = {name for name, uid in pod_uids(cluster).items() if uid != before[name]}
    assert replaced == {"zk-0"}, "as many as the quorum lacked"


def _one_heals(cluster: Cluster) -> None:
    cluster.write("/acknowledged", "yes")
    lose(cluster, "zk-0")
    cluster.until_settled()
    assert cluster.read("/acknowledged") == {"yes"}
    cluster.until(
        lambda: cluster.servers()["zk-0"]["mode"] in ("leader", "follower"), "its vote", 20
    )


def _two_are_told(cluster: Cluster) -> str:
    zxid = last_zxid(cluster, "zk-2")
    lose(cluster, "zk-0", "zk-1")
    down = until_lost(cluster)
    assert "zk-0 and zk-1 have lost the data on disk" in down
    assert f"zk-2 holds data up to {zxid}." in down
    incident = str(cluster.status()["incident"])
    assert f"{{incident: {incident}, continueFrom: zk-2}}" in down
    assert incident in cluster.events()["MajorityLost"]
    return incident


def _another_incident_counts_for_nothing(cluster: Cluster) -> None:
    cluster.patch({"recovery": {"incident": "another", "continueFrom": "zk-2"}})
    cluster.until(lambda: "quotes another incident" in scaled(cluster)["message"], "its answer")
    stays_down(cluster)


def scaled(cluster: Cluster) -> dict[str, str]:
    found: dict[str, str] = cluster.condition("Scaled")
    return found


def until_lost(cluster: Cluster) -> str:
    """Wait until the lost majority is told, with every disk known; return what is told."""

    def is_told() -> str:
        found = scaled(cluster)
        is_whole = found["reason"] == "MajorityLost" and "unknown" not in found["message"]
        return found["message"] if is_whole else ""

    return cluster.until(is_told, "the lost majority")


def stays_down(cluster: Cluster) -> None:
    since = now()

    def has_waited() -> bool:
        assert cluster.condition("Available")["status"] == "False"
        return (now() - since).total_seconds() > LONG_ENOUGH_SECONDS

    cluster.until(has_waited, "a while without a quorum")


def last_zxid(cluster: Cluster, pod: str) -> str:
    host = f"{pod}.{cluster.name}.{cluster.namespace}.svc.cluster.local"
    told = cluster.platform.run(sys.executable, "-c", SRVR, host).stdout.strip()
    assert re.fullmatch("0x[0-9a-f]+", told)
    return str(told)


def pod_uids(cluster: Cluster) -> dict[str, str]:
    return {name: str(pod["metadata"]["uid"]) for name, pod in cluster.pods().items()}


def lose(cluster: Cluster, *pods: str) -> None:
    """Delete servers together with their volumes; new and empty ones take their place."""
    claims = [f"data-{pod}" for pod in pods]
    old = {claim: cluster.get("pvc", claim)["metadata"]["uid"] for claim in claims}
    cluster.kubectl("delete", "pvc", *claims, "--wait=false")
    cluster.kubectl("delete", "pod", *pods, "--wait=false")

    def are_new() -> bool:
        found = {claim: cluster.get("pvc", claim) for claim in claims}
        return all(c and c["metadata"]["uid"] != old[name] for name, c in found.items())

    cluster.until(are_new, "new volumes")
    cluster.until(lambda: set(pods) <= set(cluster.pods()), "new pods")
