"""How a platform of one's own starts, mends itself and ends."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.platform.handle import Platform, eventually
from local.platform.state import State

pytestmark = pytest.mark.system

# Enough to be a platform; the other parts would only take time.
SMALL = "--without=node,eventing,serving,kube-proxy,provisioner"

# On SIGTERM it calls the host through the platform's proxy.
GOODBYE = """
apiVersion: v1
kind: Pod
metadata: {name: polite}
spec:
  containers:
  - name: polite
    image: debian:12
    command:
    - bash
    - -c
    - |
      trap 'curl -m 1 --proxy http://10.244.0.1:3128 http://127.0.0.1:PORT/goodbye; exit' TERM
      touch /tmp/ready
      while true; do sleep 0.1; done
    readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1}
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Platform]:
    """A platform of this test's own, for tests that end it."""
    yield from _small_platform(tmp_path)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform for tests that damage it and see it mend itself; the last of them ends it."""
    yield from _small_platform(tmp_path_factory.mktemp("damaged"))


def _small_platform(folder: Path) -> Iterator[Platform]:
    own = Platform(folder / "state")
    own.local("up", SMALL)
    yield own
    own.local("down")


def test_a_taken_port_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = Platform(tmp_path / "state").local("up", f"--api-port={port}", check=False)
    assert refused.returncode == 1
    assert f"port {port} on 127.0.0.1 cannot be used (Address already in use)" in refused.stderr
    assert "--api-port" in refused.stderr


@pytest.mark.soak
def test_a_part_that_cannot_start_is_shown_with_the_end_of_its_log(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "etcd").write_text("#!/bin/sh\necho the disk is full >&2\nexit 1\n")
    (programs / "etcd").chmod(0o755)
    broken = Platform(tmp_path / "state")
    try:
        refused = broken.local(
            "up", SMALL, check=False, extra={"KUBEBUILDER_ASSETS": str(programs)}
        )
    finally:
        broken.local("down")
    assert refused.returncode == 1
    assert "it waits for the API server" in refused.stderr
    assert "etcd.log" in refused.stderr
    assert "the disk is full" in refused.stderr


def test_run_without_a_platform_says_how_to_start_one(tmp_path: Path) -> None:
    refused = Platform(tmp_path).local("run", "--", "true", check=False)
    assert refused.returncode == 1
    assert "python -m local up" in refused.stderr


def test_a_killed_part_is_started_again(damaged: Platform) -> None:
    before = _part(damaged, "dns")
    damaged.run("kill", "-KILL", str(before["pid"]))
    eventually(lambda: _part(damaged, "dns")["restarts"] == 1, what="a restart of dns")
    eventually(lambda: _part(damaged, "dns")["state"] == "running", what="dns to answer again")
    assert "dns ended with -9" in (damaged.state / "logs" / "platform.log").read_text()
    assert damaged.run("getent", "hosts", "kubernetes.default").stdout.startswith("10.96.0.1 ")


def test_a_killed_api_server_comes_back_with_its_data(damaged: Platform) -> None:
    damaged.kubectl("create", "configmap", "kept")
    damaged.run("kill", "-KILL", str(_part(damaged, "kube-apiserver")["pid"]))
    eventually(lambda: _part(damaged, "kube-apiserver")["restarts"] == 1, what="its restart")
    eventually(
        lambda: damaged.kubectl("get", "configmap", "kept", check=False).returncode == 0,
        what="the configmap from before",
    )


@pytest.mark.soak
def test_pods_are_asked_to_stop_before_the_end(tmp_path: Path) -> None:
    own = Platform(tmp_path / "state")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        own.local("up", "--without=eventing,serving")
        try:
            goodbye = GOODBYE.replace("PORT", str(listener.getsockname()[1]))
            own.kubectl("apply", "-f", "-", input=goodbye)
            own.kubectl("wait", "--for=condition=Ready", "pod/polite", "--timeout=60s")
        finally:
            own.local("down")
        listener.settimeout(1)
        said, _ = listener.accept()
        with said:
            assert said.recv(100).startswith(b"GET /goodbye ")


def test_a_crashed_platform_is_cleaned_up_by_up(damaged: Platform) -> None:
    crashed = damaged.record
    os.kill(crashed.init.pid, signal.SIGKILL)
    eventually(lambda: not _processes_of(damaged), seconds=5, what="the kernel to end it all")
    assert damaged.local("status", check=False).returncode == 1
    damaged.kubectl("version", "--client")
    damaged.local("up", SMALL)
    assert damaged.record != crashed
    assert damaged.kubectl("get", "configmap", "kept", check=False).returncode == 1


def test_down_leaves_nothing_behind_and_may_be_repeated(damaged: Platform) -> None:
    record = damaged.record
    assert _processes_of(damaged)
    damaged.local("down")
    assert not record.init.is_alive
    assert not damaged.state.exists()
    eventually(lambda: not _processes_of(damaged), seconds=2, what="every process to be gone")
    assert "nothing is running" in damaged.local("down").stdout


@pytest.mark.soak
def test_a_crashed_platform_is_cleaned_up_by_down(small: Platform) -> None:
    os.kill(small.record.outside.pid, signal.SIGKILL)
    eventually(lambda: not _processes_of(small), seconds=10, what="the inside to end by itself")
    assert small.local("status", check=False).returncode == 1
    small.local("down")
    assert not small.state.exists()


def _part(platform: Platform, name: str) -> dict[str, object]:
    part: dict[str, object] = State(platform.state).parts()[name]
    return part


def _processes_of(platform: Platform) -> list[str]:
    """Return the command lines on this machine that name the platform's state folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(platform.state) in command:
            found.append(command)
    return found
