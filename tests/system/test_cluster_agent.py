"""The agent beside each server: status follows an election though nobody polls, at little cost.

Every test here runs while `resync` rests, so what status shows came by events alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.platform.handle import Platform
from tests.system.clusters import FUNCTIONS_NAMESPACE, Cluster, now, signal_server
from tests.system.test_idle import CALM_SECONDS

pytestmark = pytest.mark.system

LOOKER = Path(__file__).with_name("agents.py")
SECONDS_AFTER_AN_ELECTION = 2.0
MOST_PSS_KB = 20 * 1024
MOST_MS_PER_MINUTE = 60.0
MEASURED_SECONDS = 20


def _look(cluster: Cluster, *words: str) -> Any:
    return json.loads(cluster.platform.run(sys.executable, str(LOOKER), *words).stdout)


@pytest.fixture(scope="module")
def trio(product: Platform, shared_namespace: str) -> Iterator[Cluster]:
    """Three servers that notice a lost leader soon, and no resync until the end.

    Their readiness is in no hurry, so that no change of a pod tells what an agent should.
    """
    cluster = Cluster(product, shared_namespace)
    cluster.apply(
        3,
        config={"tickTime": 500, "syncLimit": 4},
        probes={"readiness": {"periodSeconds": 1, "failureThreshold": 60}},
    )
    cluster.until_settled()
    resync = ("patch", "pingsource", "resync-unsettled", "-n", FUNCTIONS_NAMESPACE, "--type=merge")
    (before,) = [
        source["spec"]["schedule"]
        for source in json.loads(
            product.kubectl("get", "pingsource", "-n", FUNCTIONS_NAMESPACE, "-o", "json").stdout
        )["items"]
        if source["metadata"]["name"] == "resync-unsettled"
    ]
    product.kubectl(*resync, "-p", json.dumps({"spec": {"schedule": "0 0 0 1 1 *"}}))
    try:
        yield cluster
    finally:
        product.kubectl(*resync, "-p", json.dumps({"spec": {"schedule": before}}))


def _modes(cluster: Cluster) -> dict[str, str]:
    return {name: server["mode"] for name, server in cluster.servers().items()}


def test_status_names_the_new_leader_within_two_seconds_of_its_election(trio: Cluster) -> None:
    trio.until_settled()
    old = trio.status()["leader"]
    names = {pod["status"]["podIP"]: name for name, pod in trio.pods().items()}
    left = [address for address, name in names.items() if name != old]
    signal_server(trio, old, "SIGKILL")
    address, elected = _look(trio, "leader", *left)
    new = names[address]
    shown = trio.until(lambda: trio.status().get("leader") == new and time.time(), "the new leader")
    print(f"the election was seen after {shown - elected:.2f} s")  # noqa: T201 (a figure)
    assert shown - elected < SECONDS_AFTER_AN_ELECTION
    trio.until(lambda: _modes(trio)[old] == "follower", "the old leader to follow")
    assert sorted(_modes(trio).values()) == ["follower", "follower", "leader"]
    trio.until_settled()


@pytest.mark.soak
def test_a_leader_that_hangs_makes_no_pod_event_and_yet_is_seen_to_be_none(trio: Cluster) -> None:
    """Nothing happens to any pod: what wakes the functions are the agents beside the others."""
    trio.until_settled()
    old = trio.status()["leader"]
    before = {name: pod["metadata"]["resourceVersion"] for name, pod in trio.pods().items()}
    signal_server(trio, old, "SIGSTOP")
    try:
        trio.until(lambda: trio.status()["leader"] not in ("", old), "a new leader", 30)
        after = {name: pod["metadata"]["resourceVersion"] for name, pod in trio.pods().items()}
        assert after == before
    finally:
        signal_server(trio, old, "SIGCONT")
    trio.until(lambda: _modes(trio)[old] == "follower", "the old leader to follow")
    trio.until_settled()


def test_every_agent_tells_how_far_its_disk_goes(trio: Cluster) -> None:
    trio.until_settled()
    trio.write("/agent", "written")
    found = _look(trio, "disk", *(host.partition(":")[0] for host in trio.hosts()))
    assert len(found) == 3
    for report in found.values():
        assert report["isEmpty"] is False
        assert report["members"] == [1, 2, 3]
        # A session that ends between the two questions is one transaction more.
        assert int(report["server"], 16) - int(report["zxid"], 16) in (0, 1)


def test_logs_and_exec_mean_the_server(trio: Cluster) -> None:
    assert "zookeeper" in trio.kubectl("logs", "zk-0", "--tail=500").stdout
    asked = trio.kubectl("exec", "zk-0", "--", "sh", "-c", "echo $ZK_SERVER_HEAP")
    assert asked.stdout.strip().isdecimal()
    assert asked.stderr == ""
    assert "the server's role is" in trio.kubectl("logs", "zk-0", "-c", "agent").stdout


@pytest.mark.soak
def test_agents_of_a_quiet_ensemble_tell_nothing_and_cost_next_to_nothing(trio: Cluster) -> None:
    trio.until_settled()
    trio.until_calm(CALM_SECONDS)
    told = [trio.kubectl("logs", name, "-c", "agent").stdout for name in sorted(trio.pods())]
    since = now()
    agents = _look(trio, "cost", str(MEASURED_SECONDS))
    minutes = MEASURED_SECONDS / 60
    for agent in agents:
        print(  # noqa: T201 (a figure)
            f"an agent: {agent['pss'] / 1024:.1f} MiB (PSS), {agent['rss'] / 1024:.1f} MiB (RSS), "
            f"{agent['ms'] / minutes:.0f} ms of processor time per minute"
        )
    assert len(agents) >= 3
    assert max(agent["pss"] for agent in agents) < MOST_PSS_KB
    assert max(agent["ms"] for agent in agents) / minutes < MOST_MS_PER_MINUTE
    assert [str(call) for call in trio.calls(since)] == []
    assert told == [trio.kubectl("logs", n, "-c", "agent").stdout for n in sorted(trio.pods())]
