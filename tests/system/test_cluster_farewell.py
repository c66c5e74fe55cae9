"""A stopped server's clients go on at once: its address refuses them until nobody is sent to it.

A Service sends clients to a pod until each proxy has taken in its end, which kube-proxy does once a
second. Whoever was sent to an address that was gone heard nothing at all and gave up after the
session's 10 seconds: seen in two of six runs of 3-5-3 and a roll, on a busy machine.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from local.platform.inside import command_inside
from local.platform.parts import CHECKOUT, environment
from local.platform.state import State
from tests.system.clusters import Cluster

pytestmark = [pytest.mark.system, pytest.mark.soak]

# Longer than kube-proxy takes: one second between two of its changes, and the way there.
LONG_ENOUGH = 1.5


def test_a_stopped_server_refuses_clients_until_none_is_sent_to_it(cluster: Cluster) -> None:
    cluster.apply(replicas=1)
    cluster.until_settled()
    pod = f"{cluster.name}-0"
    state = State(cluster.platform.state)
    address = cluster.pods()[pod]["status"]["podIP"]
    command = command_inside(state, [sys.executable, "-m", "tests.system.farewell", address])
    with subprocess.Popen(
        command, env=environment(state), cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "watching\n"
        cluster.kubectl("delete", "pod", pod, "--wait=false")
        said, _ = client.communicate(timeout=90)
    met = json.loads(said)
    assert met["accepted"] > 0
    assert met["refused_seconds"] >= LONG_ENOUGH
