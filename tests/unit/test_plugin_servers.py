"""How `kubectl zk` asks servers: the agent first, then the word inside the container."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from functions.api.errors import FunctionError, MissingRight, Refused, Unavailable
from functions.api.kinds import Kind, Ref
from functions.api.manifest import Manifest
from functions.planning.progress import Progress
from kubectl_zk.counters import of_word
from kubectl_zk.problem import may_not
from kubectl_zk.servers import ServersBehindKubernetes

HOST, PORT, CLOSED = "10.0.0.7", 2181, 2189
SRVR = """\
Zookeeper version: 3.9.5-46a4b3, built on 2026-01-02 03:04 UTC
Latency min/avg/max: 0/0.4286/12
Received: 121
Sent: 120
Connections: 2
Outstanding: 3
Zxid: 0x100000007
Mode: follower
Node count: 6
"""
STATUS: Mapping[str, Any] = {
    "Sent": 120, "Received": 121, "NodeCount": 6, "MinLatency": 0, "AvgLatency": 1,
    "MaxLatency": 12, "Connections": 2, "Outstanding": 3, "Epoch": 1, "Counter": 7,
    "BuildTime": "2026-01-02T03:04:00Z", "Mode": 2, "Role": "follower",
    "Version": "3.9.5-46a4b3", "Error": None,
}  # fmt: skip
LIST = "server.1=zk-0.zk:2888:3888:participant;0.0.0.0:2181\nversion=100000000"
NO_PROXY = 'pods "zk-0" is forbidden: User "eve" cannot get resource "pods/proxy" in API group ""'
NO_EXEC = (
    'Error from server (Forbidden): pods "zk-0" is forbidden: User "eve" cannot create resource '
    '"pods/exec" in API group "" in the namespace "apps"'
)


class Pods:
    """One pod with an agent that answers as told; `asked` has each path."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def list(
        self, kind: Kind, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        del kind, namespace, labels
        env = [{"name": "CLIENT_PORT", "value": str(PORT)}]
        containers = [{"name": "zookeeper"}, {"name": "agent", "env": env}]
        return [
            {"metadata": {"name": "coming"}, "status": {}},
            {
                "metadata": {"name": "zk-0"},
                "spec": {"containers": containers},
                "status": {"podIP": HOST},
            },
        ]

    def ask_pod(self, pod: Ref, port: int, path: str) -> Manifest:
        self.asked.append(f"{pod.name}:{port}{path}")
        found = self.answers.get(path, Refused("404"))
        if isinstance(found, FunctionError):
            raise found
        return dict(found)


def servers(pods: Pods, folder: Path, says: str = "", fails: str = "") -> ServersBehindKubernetes:
    """Return servers behind a kubectl that says this, or fails with that."""
    kubectl = folder / "kubectl"
    (folder / "said").write_text(says)
    (folder / "failed").write_text(fails)
    kubectl.write_text(
        f'#!/bin/sh\necho "$*" >> {folder}/asked\ncat {folder}/said\ncat {folder}/failed >&2\n'
        f"[ ! -s {folder}/failed ]\n"
    )
    kubectl.chmod(0o755)
    return ServersBehindKubernetes(pods, "apps", (str(kubectl),))


def test_the_agent_is_asked_once_and_no_process_is_started(tmp_path: Path) -> None:
    pods = Pods({"/status": STATUS})
    behind = servers(pods, tmp_path)
    told = behind.counters(HOST, PORT)
    assert (told.zxid, told.latency, told.outstanding) == (0x100000007, 1.0, 3)
    assert (told.received, told.sent) == (121, 120)
    assert behind.stats(HOST, PORT) == of_word(SRVR, "zk-0").stats
    assert pods.asked == ["zk-0:1988/status"]
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    "agent",
    [
        Unavailable("The answer (503) is none of an API server"),
        MissingRight(NO_PROXY),
        Refused("404"),
        {"Role": "leader"},
    ],
    ids=["serves-nobody", "no-right-to-proxy", "an-agent-of-before", "another-program"],
)
def test_where_the_agent_does_not_help_the_word_is_asked(tmp_path: Path, agent: Any) -> None:
    told = servers(Pods({"/status": agent}), tmp_path, says=SRVR).counters(HOST, PORT)
    assert (told.zxid, told.latency, told.stats.mode) == (0x100000007, 0.4286, "follower")
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("exec -n apps zk-0 -c zookeeper -- bash -c ")
    assert asked.rstrip().endswith("ask 2181 srvr")


def test_a_server_that_serves_nobody_has_no_mode(tmp_path: Path) -> None:
    says = "This ZooKeeper instance is not currently serving requests\n"
    assert servers(Pods({}), tmp_path, says=says).stats(HOST, PORT).mode == ""


def test_behind_a_closed_port_the_agent_is_not_asked(tmp_path: Path) -> None:
    """Agents look at the clients' port, where nobody answers while a restore is looked at."""
    pods = Pods({"/status": STATUS, "/get": {"record": LIST}})
    behind = servers(pods, tmp_path, says=SRVR)
    assert behind.stats(HOST, CLOSED).mode == "follower"
    assert pods.asked == []
    assert (tmp_path / "asked").read_text().rstrip().endswith("ask 2189 srvr")


def test_the_member_list_comes_from_the_agent_or_from_conf(tmp_path: Path) -> None:
    by_agent = servers(Pods({"/get": {"record": LIST}}), tmp_path).config(HOST, PORT)
    by_word = servers(Pods({}), tmp_path, says=f"clientPort=2181\n{LIST}\n").config(HOST, PORT)
    assert by_agent == by_word
    assert [member.id for member in by_agent.members] == [1]


@pytest.mark.parametrize(
    ("agent", "kubectl", "told"),
    [
        (MissingRight(NO_PROXY), NO_EXEC, "you may not get pods/proxy"),
        (Unavailable("503"), NO_EXEC, "you may not create pods/exec"),
        (Unavailable("503"), "error: pod is gone", "zk-0 does not answer: error: pod is gone"),
    ],
    ids=["neither-right", "no-right-to-exec", "no-answer"],
)
def test_why_a_server_could_not_be_asked_is_said(
    tmp_path: Path, agent: FunctionError, kubectl: str, told: str
) -> None:
    behind = servers(Pods({"/status": agent}), tmp_path, fails=kubectl)
    with pytest.raises(Unavailable) as caught:
        behind.counters(HOST, PORT)
    assert may_not(str(caught.value)) == told
    assert isinstance(caught.value, MissingRight) == ("may not" in told)


def test_without_kubectl_on_the_path_that_is_said(tmp_path: Path) -> None:
    behind = ServersBehindKubernetes(Pods({}), "apps", (str(tmp_path / "none"),))
    with pytest.raises(MissingRight, match="kubectl is not on PATH"):
        behind.counters(HOST, PORT)


def test_a_pod_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No pod has the address"):
        servers(Pods({}), tmp_path).counters("10.0.0.99", PORT)


def test_volumes_and_programs_are_asked_through_the_proxy(tmp_path: Path) -> None:
    disk = {
        "isEmpty": False, "zxid": "0x100000007", "epoch": 1, "members": [1], "voters": [1],
        "restored": None, "lines": [],
    }  # fmt: skip
    progress = {"done": 5, "total": 10, "phase": "copying"}
    behind = servers(Pods({"/disk": disk, "/progress": progress}), tmp_path)
    assert behind.disk(HOST).zxid == 0x100000007
    assert behind.progress(HOST) == Progress(5, 10, "copying")
