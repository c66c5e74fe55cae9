"""An ensemble whose functions, preparation, agents and Jobs run from the built image.

Elsewhere on the laptop they run from the checkout and its environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.platform.handle import Platform
from local.stores import place
from tests.contract.built_image import Image, built
from tests.system.backups import backup, give_keys, location, restore
from tests.system.clusters import FUNCTIONS_NAMESPACE, Cluster, fresh_namespace
from tests.system.conftest import install, keep_logs
from tests.system.writing import continuous_writes

pytestmark = [pytest.mark.system, pytest.mark.soak]

WHENCE = "import functions, os, sys; print(functions.__file__, sys.prefix, sorted(os.listdir()))"
IMAGES_OWN = "/app/functions/__init__.py /venv ['LICENSE', 'Procfile', 'functions']"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    with built(tmp_path_factory.mktemp("image")) as image:
        yield image


def entry(image: Image) -> dict[str, Any]:
    """Return what the node is told: the image's files, its own system in place of the machine's."""
    return {
        "names": ["zookeeper-functions:*"],
        "mounts": {f"/{name}": str(image.root / name) for name in ("usr", "app", "venv")},
        "env": dict(each.split("=", 1) for each in image.config["Env"]),
        "command": image.config["Cmd"],
        "workdir": image.config["WorkingDir"],
        "user": image.config["User"].partition(":")[0],
    }


@pytest.fixture
def cluster(
    image: Image, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Cluster]:
    own = Platform(tmp_path_factory.mktemp("from-image"))
    (own.state / "images.yaml").write_text(yaml.safe_dump([entry(image)]))
    own.local("up")
    try:
        install(own, "local")
        with fresh_namespace(own) as name:
            yield Cluster(own, name)
    finally:
        keep_logs(own, request.session)
        own.local("down")


def test_an_ensemble_is_made_rolled_backed_up_and_restored(
    cluster: Cluster, tmp_path: Path
) -> None:
    give_keys(cluster)
    cluster.apply(replicas=3)
    cluster.until_settled(180)
    with continuous_writes(cluster, tmp_path, "on functions of the built image"):
        cluster.patch({"restartedAt": "2026-01-31T12:00:00Z"})
        cluster.until_settled(180)
    cluster.write("/kept", "value")
    for store in (place.S3, place.OSS):
        made = backup(cluster, store, location(store))
        assert made.until_over()["status"] == "completed"
        key = made.records()[0]["key"]
        back = restore(cluster, f"from-{store}", location(store, key=key))
        assert back.until_over(180)["status"] == "restarted"
        cluster.until_settled(120)
    assert cluster.read("/kept") == {"value"}
    assert _whence(cluster, "-n", FUNCTIONS_NAMESPACE, "deployment/observe") == IMAGES_OWN
    assert _whence(cluster, "-n", cluster.namespace, "zk-0", "-c", "agent") == IMAGES_OWN


def _whence(cluster: Cluster, *where: str) -> str:
    return cluster.platform.kubectl("exec", *where, "--", "python", "-c", WHENCE).stdout.strip()
