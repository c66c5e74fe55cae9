"""What is said of a platform that runs, and what runs in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.platform.handle import Platform

pytestmark = pytest.mark.system


def test_up_again_says_what_is_there(platform: Platform) -> None:
    before = platform.record
    again = platform.local("up")
    assert "already running" in again.stdout
    assert str(before.api_port) in again.stdout
    assert platform.record == before


def test_status_names_every_part_and_node(platform: Platform) -> None:
    said = platform.local("status").stdout
    for part in ("etcd", "kube-apiserver", "kube-proxy", "dns", "node", "node-a, node-b, node-c"):
        assert part in said


def test_run_passes_input_output_and_the_exit_code(platform: Platform) -> None:
    done = platform.local("run", "--", "sh", "-c", "cat; pwd; exit 7", check=False)
    assert done.returncode == 7
    assert done.stdout == f"{Path.cwd()}\n"
    assert platform.run("cat", input="typed").stdout == "typed"


def test_logs_shows_one_part_and_names_those_there_are(platform: Platform) -> None:
    assert "etcd" in platform.local("logs", "etcd", "-n", "3").stdout
    refused = platform.local("logs", "kube-dns", check=False)
    assert refused.returncode == 1
    assert "no log of kube-dns yet; there are:" in refused.stderr
    assert "kube-apiserver" in refused.stderr


def test_the_hosts_network_is_not_touched(platform: Platform) -> None:
    assert ": cni0:" in platform.run("ip", "-o", "link").stdout
    assert not Path("/sys/class/net/cni0").exists()
