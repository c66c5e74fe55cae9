"""Moving servers under clients that write, against the same moves by hand: see docs/benchmarks.md.

A round makes each side anew and takes it through all moves: 3 to 5 servers and back, the leader
out and in again, a restart of all, the leader killed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.moves import BY_HAND, NAME, OURS, SMALL
from benchmarks.quorum import fresh_namespace
from benchmarks.running import SAMPLE, Failed, Say, run_inside, start_inside
from local import audit
from local.platform.handle import Platform, eventually
from tests.system.clusters import FUNCTIONS_NAMESPACE, Cluster, now, signal_server

MANIFESTS: Mapping[str, str] = {BY_HAND: "benchmarks/by_hand_moving.yaml", OURS: SAMPLE}
WRITER = "tests/system/writer.py"
MOVE_SECONDS = 300.0
# Bytes of the clients' record that say that all of them are at it.
ENOUGH = 5000
# 3 to 5 and back: the pods, two servers in, two servers out, the pods.
STEPS = 6
FUNCTIONS = f"{audit.SERVICE_ACCOUNT}{FUNCTIONS_NAMESPACE}:"
PERSON = "admin"
# Two minutes a round, so there are fewer of them than of the others.
SHARE = 3

TITLES = (
    ("scale", "From 3 to 5 servers and back to 3, three clients writing", "s"),
    ("scale gap", "Longest wait of a client from 3 to 5 and back", "s"),
    ("scale errors", "Errors seen by the clients from 3 to 5 and back", "errors"),
    ("requests", "Requests to the API server per step from 3 to 5 and back (6 steps)", "requests"),
    ("writes", "Writes among those requests", "requests"),
    ("leader gap", "Longest wait of a client while the leader is taken out", "s"),
    ("roll", "Restart of all three pods, three clients writing", "s"),
    ("roll gap", "Longest wait of a client during the restart of all", "s"),
    ("roll errors", "Errors seen by the clients during the restart of all", "errors"),
    ("kill", "After SIGKILL of the leader until all three serve again", "s"),
    ("kill gap", "Longest wait of a client after SIGKILL of the leader", "s"),
)


@dataclass(slots=True)
class Samples:
    """What was measured, by figure and side, in the order of the rounds."""

    found: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, side: str, value: float) -> None:
        self.found[name, side].append(value)


@dataclass(frozen=True, slots=True)
class Course:
    """One side on its way through all moves."""

    side: str
    cluster: Cluster
    samples: Samples

    def go(self) -> None:
        since = now()
        self._under_clients("scale", lambda: self._move("there_and_back"))
        self._count_requests(since)
        self._let_last_one_lead()
        self._under_clients("leader", lambda: self._move("leader_leaves"))
        self._move("comes_back")
        self._under_clients("roll", lambda: self._move("roll"))
        self._under_clients("kill", self._kill_leader)

    def _move(self, move: str) -> float:
        command = self._command(move)
        platform = self.cluster.platform
        return float(run_inside(platform, command, text="", seconds=MOVE_SECONDS))

    def _command(self, move: str) -> list[str]:
        words = (self.side, move, self.cluster.namespace)
        return [sys.executable, "-m", "benchmarks.moves", *words]

    def _let_last_one_lead(self) -> None:
        """Kill leaders until server 3 leads, which is the first to leave."""
        while self._move("who-leads") != SMALL:
            self._kill_leader()

    def _kill_leader(self) -> float:
        """Return the seconds from its end until all three serve."""
        leader = f"{NAME}-{self._move('who-leads') - 1:.0f}"
        process = start_inside(self.cluster.platform, self._command("recover"))
        assert process.stdout is not None
        process.stdout.readline()
        signal_server(self.cluster, leader, "SIGKILL")
        said, error = process.communicate(timeout=MOVE_SECONDS)
        if process.returncode:
            raise Failed(error.strip())
        return float(said)

    def _under_clients(self, name: str, move: Callable[[], float]) -> None:
        """Make a move while clients write; remember its time and what they saw of it."""
        with tempfile.TemporaryDirectory(prefix="zookeeper-functions-bench-") as folder:
            file = Path(folder) / "acknowledged"
            with _clients(self.cluster, file):
                self.samples.add(name, self.side, move())
            seen = json.loads(file.read_text().splitlines()[-1].removeprefix("# "))
        self.samples.add(f"{name} gap", self.side, seen["longest_gap"])
        self.samples.add(f"{name} errors", self.side, seen["errors"])

    def _count_requests(self, since: datetime) -> None:
        """Count the functions' calls of the API server, or those of the person's kubectl."""
        logs = self.cluster.platform.state / "logs"
        found = [
            call
            for call in audit.calls(logs, since)
            if call.namespace == self.cluster.namespace
            and (call.user == PERSON if self.side == BY_HAND else call.user.startswith(FUNCTIONS))
        ]
        self.samples.add("requests", self.side, len(found) / STEPS)
        self.samples.add("writes", self.side, sum(call.is_write for call in found) / STEPS)


@contextmanager
def _clients(cluster: Cluster, file: Path) -> Iterator[None]:
    """Let the system tests' clients write all the time inside."""
    process = start_inside(
        cluster.platform, [sys.executable, WRITER, "write", cluster.service, str(file)]
    )
    try:
        eventually(lambda: file.exists() and file.stat().st_size > ENOUGH, what="clients write")
        yield
    finally:
        file.with_suffix(".stop").touch()
        process.communicate(timeout=MOVE_SECONDS)


def measure(platform: Platform, rounds: int, say: Say) -> list[Figure]:
    """Take both sides through all moves, in turn, a third as often as other benchmarks."""
    samples = Samples()
    for count in range(max(rounds // SHARE, 1)):
        for side in sorted(MANIFESTS, reverse=count % 2 == 0):
            say(f"moving servers: {side}")
            _one_side(platform, side, samples)
    return [
        Figure(title, side, unit, samples.found[name, side], samples.found[name, BY_HAND])
        for name, title, unit in TITLES
        for side in (BY_HAND, OURS)
    ]


def _one_side(platform: Platform, side: str, samples: Samples) -> None:
    with fresh_namespace(platform) as namespace:
        cluster = Cluster(platform, namespace, NAME)
        platform.kubectl("apply", "-n", namespace, "-f", MANIFESTS[side])
        _wait_for_servers(cluster)
        Course(side, cluster, samples).go()


def _wait_for_servers(cluster: Cluster) -> None:
    """All three Ready: from then on the clients' Service reaches them."""

    def are_ready() -> bool:
        found = cluster.get("statefulset").get("status", {})
        return bool(found.get("readyReplicas") == SMALL)

    eventually(are_ready, seconds=MOVE_SECONDS, what="three servers are ready")
