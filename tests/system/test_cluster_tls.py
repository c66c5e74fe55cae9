"""TLS by the commands of the manual: there, renewed, and back again, under continuous writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.platform.inside import command_inside
from local.platform.parts import environment
from local.platform.state import State
from local.stores import place
from tests import pages
from tests.system.backups import ENDED, Asked, backup, give_keys, location, restore
from tests.system.clusters import NOBODY, Cluster
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

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

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


def _plainly_answered(cluster: Cluster) -> list[bool]:
    """Return which servers answer a client without TLS."""
    return [_talk(cluster, "plain", name, "2181")["answered"] for name in _names(cluster)]


@contextmanager
def _session_without_tls(cluster: Cluster, states: Path) -> Iterator[Path]:
    """Keep a session meanwhile; yields the file with its states, the present one last."""
    state = State(cluster.platform.state)
    hosts = ",".join(cluster.hosts())
    command = [sys.executable, str(TALK), "session", hosts, str(states)]
    with subprocess.Popen(
        command_inside(state, command), env=environment(state), stdout=subprocess.DEVNULL
    ) as client:
        try:
            cluster.until(lambda: states.exists() and "CONNECTED" in states.read_text(), "it is in")
            yield states
        finally:
            Path(f"{states}.stop").touch()
            client.wait(timeout=60)


def _shown(cluster: Cluster, folder: Path) -> set[str]:
    """Return the serial numbers of the certificates that clients are shown, names checked."""
    authority = str(folder / "ca.crt")
    told = [_talk(cluster, "tls", name, "2281", authority) for name in _names(cluster)]
    assert all(answer["zookeeper"] for answer in told)
    return {answer["serial"] for answer in told}


def _names(cluster: Cluster) -> list[str]:
    return [host.partition(":")[0] for host in cluster.hosts()]


def _blocks() -> list[str]:
    """Return the commands of the page: make, on, by TLS, close, open again, renew, off."""
    return ["\n".join(block.commands) for block in pages.blocks(PAGE)]


def test_servers_learn_tls_and_forget_it_again(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Each way is three rolls, so three elections."""
    make, turn_on, client, _, _, _, turn_off = _blocks()
    small = Cluster(cluster.platform, namespace, "small")
    manual = Manual(small, tmp_path).prepare()
    small.apply(replicas=3, networkPolicy=NOBODY)
    small.until_settled(120)
    assert REFUSED not in _greeted(small)
    manual.run(make)
    with continuous_writes(small, tmp_path, "plain to TLS") as writes:
        assert manual.run(turn_on).endswith(f"small-client.{namespace}.svc.cluster.local:2281")
    assert writes.elections() == 3
    assert _greeted(small) == [REFUSED] * 3
    assert ("zookeeper" in manual.run(client), _plainly_answered(small)) == (True, [True] * 3)
    with continuous_writes(small, tmp_path, "TLS to plain") as writes:
        manual.run(turn_off)
        small.until_settled(120)
    assert writes.elections() == 3
    assert REFUSED not in _greeted(small)


def test_servers_are_closed_to_clients_without_tls_and_opened_again(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Each way is one roll; a certificate is renewed, and a member comes and goes, in between."""
    make, _, _, close, reopen, renew, _ = _blocks()
    small = Cluster(cluster.platform, namespace, "small")
    manual = Manual(small, tmp_path).prepare()
    manual.run(make)
    client = {"secretName": "small-tls", "plaintext": True}
    small.apply(replicas=3, tls={"client": client}, networkPolicy=NOBODY)
    small.until_settled(120)
    assert _plainly_answered(small) == [True] * 3
    _close(small, manual, close)
    _renew(small, manual, "\n".join([*make.splitlines()[1:3], renew]))
    with continuous_writes(small, tmp_path, "opened without TLS", manual.authority) as writes:
        manual.run(reopen)
    assert _plainly_answered(small) == [True] * 3
    assert writes.elections() == 1


def _close(small: Cluster, manual: Manual, close: str) -> None:
    """Nobody is let in without TLS from the moment that Secured is True, nor left in."""
    states, title = manual.folder / "states", "closed without TLS"
    with (
        _session_without_tls(small, states),
        continuous_writes(small, manual.folder, title, manual.authority) as writes,
    ):
        manual.run(close)
        assert _plainly_answered(small) == [False] * 3
        small.until(lambda: states.read_text().split()[-1] != "CONNECTED", "the session ends", 30)
    assert writes.elections() == 1


def _until_members(small: Cluster, count: int) -> None:
    small.until(lambda: len(small.status()["members"]) == count, f"{count} members", 120)
    small.until(lambda: len(small.pods()) == count, f"{count} pods", 120)


def _renew(small: Cluster, manual: Manual, renew: str) -> None:
    """A renewed certificate, and another member, are taken in without an election."""
    before, pods = _shown(small, manual.folder), small.uids()
    title = "renewed certificates"
    with continuous_writes(small, manual.folder, title, manual.authority) as writes:
        manual.run(renew)
        small.until(lambda: not before & _shown(small, manual.folder), "new ones are shown", 120)
        for observers in (1, 0):
            small.patch({"observers": observers})
            _until_members(small, 3 + observers)
            assert not any(_plainly_answered(small))
    assert (writes.elections(), small.uids()) == (0, pods)


def test_a_backup_goes_back_into_servers_that_take_clients_by_tls_alone(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Nobody comes in without TLS at any time; by TLS they find what was backed up."""
    make, _, client, *_ = _blocks()
    small = Cluster(cluster.platform, namespace, "small")
    manual = Manual(small, tmp_path).prepare()
    manual.run(make)
    give_keys(small)
    small.apply(replicas=3, tls={"client": {"secretName": "small-tls"}})
    small.until_settled(120)
    manual.run(client.replace("ls /", "create /kept as-backed-up"))
    made = backup(small, "taken", location(place.S3))
    assert made.until_over()["status"] == "completed", made.message
    manual.run(client.replace("ls /", "set /kept a-mistake"))
    before, key = small.uids(), made.records()[0]["key"]
    back = restore(small, "back", location(place.S3, key=key))
    back.until(lambda: _is_over(small, back), "the restore, and no door open meanwhile", 240)
    assert back.word == "restarted", back.message
    small.until_settled(180)
    assert small.uids().isdisjoint(before)
    assert _plainly_answered(small) == [False] * 3
    found = manual.run(client.replace("ls /", "get /kept"))
    assert ("as-backed-up" in found, "a-mistake" in found) == (True, False), found


def _is_over(cluster: Cluster, asked: Asked) -> bool:
    """Whether the restore ended; nobody may come in without TLS before either."""
    assert not any(_plainly_answered(cluster))
    return asked.word in ENDED
