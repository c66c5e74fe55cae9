"""Real servers for the contract tests: a Kubernetes API server and ZooKeeper, on loopback.

Nothing is skipped where they are missing: a contract that was not checked is no contract.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.adapters.kubernetes import connect
from functions.adapters.memory import MemoryKube
from tests.contract.api_server import ApiServer, started
from tests.contract.ensemble import RealEnsemble, fresh_hosts, line
from tests.contract.sides import Real, Side, Twin


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real API server with our CRDs, for the whole session."""
    with started(tmp_path_factory.mktemp("control-plane")) as server:
        yield server


@pytest.fixture(scope="session")
def _namespaces() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def namespace(api_server: ApiServer, _namespaces: Iterator[int]) -> str:
    """A namespace of the real API server that nobody else uses."""
    name = f"contract-{next(_namespaces)}"
    api_server.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name


@pytest.fixture
def ensemble_of(tmp_path: Path) -> Iterator[Callable[..., RealEnsemble]]:
    """Makes ensembles of real ZooKeeper servers, not started yet; all end with the test."""
    made: list[RealEnsemble] = []

    def make(servers: int, **options: Any) -> RealEnsemble:
        lines = [line(id, host) for id, host in enumerate(fresh_hosts(servers), start=1)]
        made.append(RealEnsemble(tmp_path / str(len(made)), lines, **options))
        return made[-1]

    yield make
    for ensemble in made:
        ensemble.stop(*list(ensemble.running))


@pytest.fixture(params=["twin", "real"])
def side(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Side:
    if request.param == "twin":
        return Twin(MemoryKube())
    api_server = request.getfixturevalue("api_server")
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    return Real(connect(), request.getfixturevalue("namespace"), api_server)
