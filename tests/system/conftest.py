"""One platform for each test process, and a namespace of its own for each test.

A developer may lend a running platform: ZOOKEEPER_FUNCTIONS_PLATFORM=<its state folder>. With
ZOOKEEPER_FUNCTIONS_E2E=<a kubeconfig> the tests marked `anywhere` run against that cluster
(`make e2e`), onto which the overlay of ZOOKEEPER_FUNCTIONS_OVERLAY is installed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from local.platform.handle import Platform, eventually
from tests.system.clusters import FUNCTIONS_NAMESPACE, RESYNC_SECONDS, Cluster, fresh_namespace
from tests.system.elsewhere import Elsewhere, elsewhere, patience
from tests.system.rest import Manifest

LENT = "ZOOKEEPER_FUNCTIONS_PLATFORM"
E2E = "ZOOKEEPER_FUNCTIONS_E2E"
OVERLAY = "ZOOKEEPER_FUNCTIONS_OVERLAY"
# On a busy machine the real Knative Eventing needs minutes.
READY_SECONDS = 300
# The look at all every ten minutes would help, or disturb, whichever test runs just then.
YEARLY = "0 0 0 1 1 *"
LOOK_SECONDS = 30


@pytest.fixture(scope="session")
def platform(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Platform]:
    """A running platform; each parallel test process has its own, since some tests break parts."""
    if kubeconfig := os.environ.get(E2E):
        with elsewhere(Path(kubeconfig).absolute(), tmp_path_factory.mktemp("e2e")) as cluster:
            yield cluster
        return
    if lent := os.environ.get(LENT):
        yield Platform(Path(lent).absolute())
        return
    own = Platform(tmp_path_factory.getbasetemp() / "platform")
    own.local("up")
    try:
        yield own
    finally:
        keep_logs(own, request.session)
        own.local("down")


def keep_logs(platform: Platform, session: pytest.Session) -> None:
    """What the parts said goes with a platform: keep it where a test of the run failed."""
    logs = platform.state / "logs"
    if session.testsfailed and logs.is_dir():
        shutil.copytree(logs, platform.state.with_name(f"logs-of-{platform.state.name}"))


@pytest.fixture(scope="session")
def product(platform: Platform) -> Iterator[Platform]:
    """The platform with the functions on it as a user installs them, and a quick resync."""
    overlay = os.environ.get(OVERLAY) or "local"
    yield install(platform, overlay)
    if isinstance(platform, Elsewhere):
        # What stays there is what a user would have installed.
        _apply(platform, _manifests(platform, overlay))


def install(platform: Platform, overlay: str) -> Platform:
    """Install an overlay as a user does, but for when resync ticks; wait until it is ready."""
    manifests = _manifests(platform, overlay)
    schedules = {"resync-unsettled": f"*/{RESYNC_SECONDS} * * * * *", "resync-all": YEARLY}
    for manifest in manifests:
        if schedule := schedules.get(manifest["metadata"]["name"]):
            manifest["spec"]["schedule"] = schedule
    _apply(platform, manifests)
    everything = "ksvc,broker,trigger,apiserversource,pingsource"
    ready = ("wait", everything, "--all", "--for=condition=Ready", f"--timeout={LOOK_SECONDS}s")

    def is_ready() -> bool:
        found = platform.kubectl(*ready, "-n", FUNCTIONS_NAMESPACE, check=False)
        return found.returncode == 0

    eventually(is_ready, seconds=READY_SECONDS * patience(platform), what="the functions are ready")
    return platform


def _manifests(platform: Platform, overlay: str) -> list[Manifest]:
    kustomized = platform.kubectl("kustomize", f"config/overlays/{overlay}").stdout
    return list(yaml.safe_load_all(kustomized))


def _apply(platform: Platform, manifests: list[Manifest]) -> None:
    text = yaml.safe_dump_all(manifests)
    platform.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=text)


@pytest.fixture
def namespace(platform: Platform, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace; it goes away in the background after the test.

    Tests of the product have a restricted one. Those of the platform alone make pods of their own.
    """
    with fresh_namespace(platform, is_restricted="product" in request.fixturenames) as name:
        yield name


@pytest.fixture(scope="module")
def shared_namespace(platform: Platform, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for what all tests of one module look at."""
    with fresh_namespace(platform, is_restricted="product" in request.fixturenames) as name:
        yield name


@pytest.fixture
def cluster(product: Platform, namespace: str) -> Cluster:
    """A cluster that the test has yet to apply."""
    return Cluster(product, namespace)
