"""`kubectl zk` on the simulation: one command in, what a person reads out."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from functions.adapters.memory import MemoryZooKeeper
from functions.api.errors import FunctionError, MissingRight
from functions.api.kinds import Ref
from functions.planning.ensemble import DiskReport, EnsembleConfig, ServerStats
from kubectl_zk.__main__ import Command, command_of, parsed
from kubectl_zk.counters import Counters
from kubectl_zk.installed import DEPLOYED_AS, FUNCTION, NAMESPACE
from kubectl_zk.problem import Problem, problem_of
from kubectl_zk.session import Session
from kubectl_zk.terminal import Terminal
from tests.handlers.conftest import Simulation


@dataclass(frozen=True)
class WithFunctions:
    """The API server with the functions deployed in a namespace, which not everybody may see."""

    kube: Any
    namespace: str = NAMESPACE
    is_denied: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kube, name)

    def get(self, ref: Ref) -> Any:
        if ref.kind not in DEPLOYED_AS:
            return self.kube.get(ref)
        if self.is_denied:
            raise MissingRight(f"{ref.kind.plural} is forbidden")
        if ref != Ref(DEPLOYED_AS[0], self.namespace, FUNCTION):
            return None
        container = {"image": "zookeeper-functions:latest"}
        return {"spec": {"template": {"spec": {"containers": [container]}}}}


@dataclass
class SimulatedServers:
    """The simulation's servers as the plugin reaches them; `denied` is which right is missing."""

    zookeeper: MemoryZooKeeper
    denied: str = ""

    def counters(self, host: str, port: int) -> Counters:
        return Counters(self.stats(host, port), 0.43, outstanding=0, received=120, sent=119)

    def stats(self, host: str, port: int) -> ServerStats:
        if self.denied:
            raise MissingRight(self.denied)
        return self.zookeeper.stats(host, port)

    def config(self, host: str, port: int) -> EnsembleConfig:
        return self.zookeeper.config(host, port)

    def disk(self, host: str) -> DiskReport:
        return self.zookeeper.disk(host)


@dataclass
class Plugin:
    """A person at a terminal, or a script; time passes only while a command waits."""

    simulation: Simulation
    namespace: str = "default"
    answers: list[str] | None = None
    denied: str = ""
    kube: Any = None
    launched: list[Sequence[str]] = field(default_factory=list)
    said: str = ""
    beside: str = ""
    code: int = 0
    meanwhile: Callable[[], None] = lambda: None

    def run(self, *words: str) -> str:
        """Run one command; return its standard output, or the sentence of its problem."""
        out, beside = io.StringIO(), io.StringIO()
        asked = parsed(words)
        session = self._session(out, beside, is_json=getattr(asked, "output", "") == "json")
        try:
            self.code = _run(command_of(asked.command), session, asked)
        except Problem as problem:
            self.code = problem.code
            self.beside = beside.getvalue()
            return f"{out.getvalue()}{problem}\n"
        self.beside = beside.getvalue()
        return out.getvalue()

    def session(self) -> Session:
        return self._session(io.StringIO(), io.StringIO(), is_json=False)

    def _session(self, out: io.StringIO, beside: io.StringIO, *, is_json: bool) -> Session:
        answers = self.answers
        return Session(
            kube=self.kube or WithFunctions(self.simulation.kube),
            servers=SimulatedServers(self.simulation.zookeeper, self.denied),
            programs=self.simulation.programs,
            namespace=self.namespace,
            terminal=Terminal(
                out, beside, is_json, answer=None if answers is None else lambda: answers.pop(0)
            ),
            now=lambda: self.simulation.clock,
            pause=self._pause,
            launch=self._launch,
        )

    def _pause(self, seconds: float) -> None:
        """Let the functions and Kubernetes work while the command waits."""
        self.simulation.clock += timedelta(seconds=seconds)
        self.meanwhile()
        self.simulation.round()
        self.simulation.kubernetes()

    def _launch(self, words: Sequence[str]) -> int:
        self.launched.append(words)
        return 0


def _run(command: Command, session: Session, asked: Any) -> int:
    try:
        return command(session, asked)
    except FunctionError as error:
        raise problem_of(error) from error
