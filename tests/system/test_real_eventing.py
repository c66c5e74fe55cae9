"""The product on the real Knative Eventing: KNATIVE_EVENTING=<a checkout of it> and `make soak`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.platform.handle import Platform
from tests.system.clusters import Cluster, fresh_namespace
from tests.system.conftest import install, keep_logs
from tests.system.writing import continuous_writes

CHECKOUT = os.environ.get("KNATIVE_EVENTING", "")
pytestmark = [
    pytest.mark.system,
    pytest.mark.soak,
    pytest.mark.skipif(not CHECKOUT, reason="KNATIVE_EVENTING names no checkout of it"),
]
BUILD_SECONDS = 3600


@pytest.fixture(scope="module")
def real(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Platform]:
    """A platform of its own, with the functions on the real Knative Eventing."""
    own = Platform(tmp_path_factory.mktemp("real"))
    own.local("up", f"--eventing={Path(CHECKOUT).absolute()}", seconds=BUILD_SECONDS)
    try:
        yield install(own, "local")
    finally:
        keep_logs(own, request.session)
        own.local("down")


@pytest.fixture
def cluster(real: Platform) -> Iterator[Cluster]:
    with fresh_namespace(real) as name:
        yield Cluster(real, name)


def test_an_ensemble_is_created_scaled_and_rolled_and_loses_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.apply(replicas=3)
    cluster.until_settled(180)
    with continuous_writes(cluster, tmp_path, "on the real Knative Eventing"):
        cluster.kubectl("scale", "zkcluster", cluster.name, "--replicas=4")
        cluster.until(lambda: len(cluster.status()["members"]) == 4, "four members", 120)
        cluster.until_settled(120)
        cluster.patch({"restartedAt": "2026-01-31T12:00:00Z"})
        cluster.until_settled(180)
    assert cluster.events()["Created"].count("\n") == 0
