"""What survives when the node's program or the API server is killed: on a platform of its own,
because every pod feels it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.platform.handle import Platform, eventually
from local.platform.state import State

pytestmark = [pytest.mark.system, pytest.mark.soak]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("restart") / "state")
    platform.local("up", "--without=eventing,serving")
    try:
        yield platform
    finally:
        platform.local("down")


def create(platform: Platform, name: str, script: str, **spec: Any) -> None:
    container = {"name": "c", "image": "debian:12", "command": ["bash", "-c", script]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container], **spec},
    }
    platform.kubectl("apply", "-f", "-", input=json.dumps(pod))


def status(platform: Platform, name: str) -> dict[str, Any]:
    done = platform.kubectl("get", "pod", name, "-o", "json", check=False)
    found: dict[str, Any] = json.loads(done.stdout)["status"] if done.returncode == 0 else {}
    return found


def container(platform: Platform, name: str) -> dict[str, Any]:
    found: dict[str, Any] = (status(platform, name).get("containerStatuses") or [{}])[0]
    return found


def kill(platform: Platform, part: str) -> None:
    """Kill a part of the platform; returns when another one has taken its place."""
    before = State(platform.state).parts()[part]["restarts"]
    platform.run("kill", "-9", str(State(platform.state).parts()[part]["pid"]))
    eventually(
        lambda: State(platform.state).parts()[part]["restarts"] > before, what=f"a new {part}"
    )


def processes(platform: Platform, mark: str) -> int:
    done = platform.run("bash", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
    return done.stdout.count(f"MARK={mark};")


def test_pods_start_anew_with_the_nodes_program_and_nothing_is_left_over(own: Platform) -> None:
    create(own, "stays", "MARK=stays; echo run; while :; do sleep 0.1; done")
    create(own, "done", "echo finished", restartPolicy="Never")
    create(own, "once", "MARK=once; while :; do sleep 0.1; done", restartPolicy="Never")
    eventually(lambda: container(own, "stays").get("ready"), what="the pod")
    eventually(lambda: status(own, "done").get("phase") == "Succeeded", what="the other pod")
    first = status(own, "stays")["podIP"]
    eventually(lambda: container(own, "once").get("ready"), what="the pod that runs once")
    running = processes(own, "stays")

    kill(own, "node")

    eventually(lambda: container(own, "stays").get("restartCount") == 1, what="the restart")
    eventually(lambda: container(own, "stays").get("ready"), what="the pod again")
    assert status(own, "stays")["podIPs"] != [{"ip": first}]
    assert container(own, "stays")["lastState"]["terminated"]["exitCode"] == 137
    assert status(own, "done")["phase"] == "Succeeded"
    assert status(own, "once")["phase"] == "Failed", "what must run once is not run again"
    assert processes(own, "once") == 0
    assert own.kubectl("logs", "done").stdout == "finished\n"
    assert own.kubectl("logs", "stays", "--previous").stdout == "run\n"
    assert processes(own, "stays") == running
    assert len(own.run("ip", "netns").stdout.split("\n")) - 1 == 1


def test_a_crash_while_the_api_server_is_away_is_told_when_it_is_back(own: Platform) -> None:
    create(own, "crashes", "sleep 2; exit 3")
    eventually(lambda: container(own, "crashes").get("ready"), what="the pod")
    kill(own, "kube-apiserver")
    last = eventually(
        lambda: container(own, "crashes").get("lastState", {}).get("terminated"),
        seconds=60,
        what="how it ended",
    )
    assert last["exitCode"] == 3


def test_a_deleted_pod_leaves_no_process_and_no_network(own: Platform) -> None:
    create(own, "gone", "MARK=gone; while :; do sleep 0.1; done")
    eventually(lambda: container(own, "gone").get("ready"), what="the pod")
    uid = own.kubectl("get", "pod", "gone", "-o", "jsonpath={.metadata.uid}").stdout
    assert processes(own, "gone") > 0
    assert uid in own.run("ip", "netns").stdout
    own.kubectl("delete", "pod", "gone", "--timeout=30s")
    assert processes(own, "gone") == 0
    assert uid not in own.run("ip", "netns").stdout
    assert not (own.state / "pods" / uid).exists()
