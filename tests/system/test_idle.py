"""Idle costs nothing: no write by any function, no event loop, however busy the ensemble is."""

from __future__ import annotations

from datetime import datetime

import pytest

from local import audit
from local.platform.handle import Platform
from tests.system.clusters import FUNCTIONS, FUNCTIONS_NAMESPACE, RESYNC_SECONDS, Cluster, now

pytestmark = pytest.mark.system

PERIODS = 10
CALM_SECONDS = 2 * RESYNC_SECONDS
RESYNC = f"{audit.SERVICE_ACCOUNT}{FUNCTIONS_NAMESPACE}:resync"


@pytest.fixture(scope="module")
def quiet(product: Platform, shared_namespace: str) -> Cluster:
    """A cluster that all is well with."""
    cluster = Cluster(product, shared_namespace)
    cluster.apply()
    cluster.until_settled()
    return cluster


def test_a_quiet_time_costs_no_write_and_no_delivery(quiet: Cluster) -> None:
    """Seed defects G3, C18 and G27: status and objects written on every look, for ever."""
    begun = datetime.fromisoformat(quiet.get("zkcluster")["metadata"]["creationTimestamp"])
    quiet.until_calm(CALM_SECONDS)
    since = now()
    for tick in range(PERIODS):
        # A busy ensemble is as idle as any: nothing of status depends on what clients write.
        quiet.write("/busy", str(tick))
        quiet.until(lambda: _looks_of_resync(quiet, since) > tick, "the next resync")  # noqa: B023
    found = quiet.calls(since)
    assert [str(call) for call in found if call.is_write] == []
    assert [str(call) for call in found] == [], "no function was woken for a settled cluster"
    assert _printed(quiet, since) == []
    assert _printed(quiet, begun), "the same command shows that there was work before"


def test_the_audit_command_counts_per_function(quiet: Cluster) -> None:
    asked = ("audit", "--caller", f"{FUNCTIONS_NAMESPACE}/")
    heading, *rows = quiet.platform.local(*asked).stdout.splitlines()
    assert heading.split() == ["CALLER", "READS", "WRITES", "DENIED"]
    counted = {row.split()[0].partition("/")[2]: row.split()[1:] for row in rows}
    assert set(FUNCTIONS) - {"dead-letter"} <= set(counted)
    for name in ("reconcile-cluster", "observe", "scale", "roll"):
        reads, writes, _ = map(int, counted[name])
        assert reads > writes > 0
    assert counted["resync"][1] == "0", "resync changes nothing, ever"
    written = quiet.platform.local(*asked, "--writes", "--namespace", quiet.namespace).stdout
    assert f"{FUNCTIONS_NAMESPACE}:scale patch zookeeperclusters/status" in written


def test_the_audit_command_says_what_a_moment_is(platform: Platform) -> None:
    refused = platform.local("audit", "--since", "yesterday", check=False)
    assert refused.returncode == 2
    assert "write 90s, 10m, 2h" in refused.stderr


def _looks_of_resync(cluster: Cluster, since: datetime) -> int:
    found = audit.calls(cluster.platform.state / "logs", since)
    return sum(c.user == RESYNC and c.resource == "zookeeperclusters" for c in found)


def _printed(cluster: Cluster, since: datetime) -> list[str]:
    """Return the rows of the command about the namespace; who did nothing has none."""
    asked = ("--caller", f"{FUNCTIONS_NAMESPACE}/", "--namespace", cluster.namespace)
    told = cluster.platform.local("audit", "--since", since.isoformat(), *asked)
    return told.stdout.splitlines()[1:]
