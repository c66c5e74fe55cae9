"""Taking volumes away from a cluster, and what is said of it."""

from __future__ import annotations

import re
import sys

from tests.system.clusters import Cluster, now

LONG_ENOUGH_SECONDS = 4.0
# Runs inside the platform: prints the last zxid of one server.
SRVR = """
import re, socket, sys
with socket.create_connection((sys.argv[1], 2181), timeout=5) as connection:
    connection.sendall(b"srvr")
    print(re.search(r"Zxid: (\\S+)", connection.makefile().read())[1])
"""


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
