"""TLS by the commands of the manual: there, renewed, and back again, under continuous writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.platform.state import State
from tests import pages
from tests.system.clusters import Cluster
from tests.system.writing import continuous_writes

pytestmark = [pytest.mark.system, pytest.mark.soak]

PAGE = pages.ROOT / "docs/operations/tls.md"
TALK = Path(__file__).with_name("talk.py")
# Three rolls of three servers on a machine that does other things too.
SECONDS = 900
REFUSED = {"ended": True, "answer": ""}


@dataclass(frozen=True, slots=True)
class Manual:
    """Runs the page's commands in a folder of its own, against one namespace."""

    cluster: Cluster
    folder: Path

    def run(self, block: str) -> str:
        """Run one block as its reader would; return what it printed."""
        platform = self.cluster.platform
        programs = State(platform.state).folder / "bin"
        variables = {
            **os.environ,
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "PATH": f"{programs}:{os.environ['PATH']}",
        }
        commands = block.replace("small.default", f"small.{self.cluster.namespace}").replace(
            "small-client.default", f"small-client.{self.cluster.namespace}"
        )
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.folder, env=variables, capture_output=True, text=True, check=True,
            timeout=SECONDS,
        ).stdout  # fmt: skip

    def prepare(self) -> Manual:
        """Let kubectl mean the test's namespace."""
        text = self.cluster.platform.kubeconfig.read_text()
        (self.folder / "kubeconfig").write_text(text)
        self.run(f"kubectl config set-context --current --namespace={self.cluster.namespace}")
        return self


def _talk(cluster: Cluster, *words: str) -> dict[str, Any]:
    said = cluster.platform.run(sys.executable, str(TALK), *words).stdout
    found: dict[str, Any] = json.loads(said)
    return found


def _greeted(cluster: Cluster) -> list[dict[str, Any]]:
    """Return how every server takes it to be greeted without TLS by another."""
    return [_talk(cluster, "quorum-plain", name, "3888") for name in _names(cluster)]


def _shown(cluster: Cluster, folder: Path) -> set[str]:
    """Return the serial numbers of the certificates that clients are shown, names checked."""
    authority = str(folder / "ca.crt")
    told = [_talk(cluster, "tls", name, "2281", authority) for name in _names(cluster)]
    assert all(answer["zookeeper"] for answer in told)
    return {answer["serial"] for answer in told}


def _names(cluster: Cluster) -> list[str]:
    return [host.partition(":")[0] for host in cluster.hosts()]


def test_servers_learn_tls_renew_their_certificate_and_forget_it_again(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Each way is three rolls, so three elections; what is plain is refused when it is complete."""
    blocks = ["\n".join(block.commands) for block in pages.blocks(PAGE)]
    make, turn_on, client, move, renew, turn_off = blocks
    small = Cluster(cluster.platform, namespace, "small")
    manual = Manual(small, tmp_path).prepare()
    small.apply(replicas=3)
    small.until_settled(120)
    assert REFUSED not in _greeted(small)
    manual.run(make)
    with continuous_writes(small, tmp_path, "plain to TLS") as writes:
        assert manual.run(turn_on).endswith(f"small-client.{namespace}.svc.cluster.local:2281")
    assert writes.elections() == 3
    assert _greeted(small) == [REFUSED] * 3
    assert "zookeeper" in manual.run(client)
    before, pods = _shown(small, tmp_path), small.uids()

    with continuous_writes(small, tmp_path, "renewed certificates") as writes:
        manual.run("\n".join([*make.splitlines()[1:3], renew, move]))
        small.until(lambda: not before & _shown(small, tmp_path), "new ones are shown", 120)
    assert (writes.elections(), small.uids()) == (0, pods)

    with continuous_writes(small, tmp_path, "TLS to plain") as writes:
        manual.run(turn_off)
        small.until_settled(120)
    assert writes.elections() == 3
    assert REFUSED not in _greeted(small)
