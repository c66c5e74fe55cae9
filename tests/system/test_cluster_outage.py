"""The API server away: the ensemble serves, servers start without it, status is right afterwards.

This stops the API server for everybody, so it must not run beside other tests of one platform.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.platform.handle import Platform, eventually
from local.platform.state import State
from tests.system.clusters import Cluster, process_space, signal_in
from tests.system.rest import Manifest

pytestmark = pytest.mark.system


@pytest.mark.soak
def test_servers_with_data_need_no_api_server(cluster: Cluster) -> None:
    """Seed defect C5: a server asked others before it started, so an outage could be for ever."""
    cluster.apply(replicas=3)
    cluster.until_settled()
    hosts, platform = cluster.hosts(), cluster.platform
    spaces = {pod: process_space(cluster, pod) for pod in ("zk-0", "zk-1", "zk-2")}
    with _api_server_stopped(platform):
        cluster.write("/outage", "written", ",".join(hosts))
        for space in spaces.values():
            signal_in(platform, space, "SIGKILL")
        eventually(lambda: _read(cluster, hosts), seconds=40, what="all servers to be back")
        assert cluster.read("/outage", hosts) == {"written"}
        # Its end breaks every watch; whoever follows the API server must begin anew.
        platform.run("kill", "-KILL", str(_api_server(platform)["pid"]))
    eventually(lambda: _answers(platform), seconds=40, what="the API server to be back")
    cluster.until(
        lambda: (
            [
                container["restartCount"]
                for pod in cluster.pods().values()
                for container in pod["status"]["containerStatuses"]
                if container["name"] == "zookeeper"
            ]
            == [1, 1, 1]
        ),
        "the restarts to be known",
    )
    cluster.until_settled()
    cluster.kubectl("delete", "pod", "zk-1")
    cluster.until(lambda: "zk-1" in cluster.events().get("ServersMissing", ""), "events to flow")
    cluster.until_settled()
    assert cluster.read("/outage") == {"written"}


@contextmanager
def _api_server_stopped(platform: Platform) -> Iterator[None]:
    """Hold the API server: connections are taken, nothing is answered."""
    pid = str(_api_server(platform)["pid"])
    platform.run("kill", "-STOP", pid)
    try:
        yield
    finally:
        platform.run("kill", "-CONT", pid, check=False)


def _api_server(platform: Platform) -> Manifest:
    found: Manifest = State(platform.state).parts()["kube-apiserver"]
    return found


def _answers(platform: Platform) -> bool:
    ask = ("get", "--raw", "/readyz", "--request-timeout=2s")
    return platform.kubectl(*ask, check=False).returncode == 0


def _read(cluster: Cluster, hosts: list[str]) -> bool:
    try:
        return cluster.read("/outage", hosts) == {"written"}
    except AssertionError:
        return False
