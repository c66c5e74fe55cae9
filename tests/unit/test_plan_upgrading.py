"""An upgrade of the functions leaves servers alone that need not be replaced."""

from __future__ import annotations

from typing import Any

import pytest

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import STATEFUL_SET, Ref
from functions.api.manifest import Manifest, ref_of
from functions.manifests.access import super_user_secret
from functions.manifests.encryption import PLAIN
from functions.manifests.fingerprint import fingerprint
from functions.manifests.installation import Installation
from functions.manifests.login import Credentials
from functions.manifests.owned import owned_objects
from functions.planning.reconciliation import Surroundings, plan_reconcile
from functions.planning.steps import ApplyObject
from functions.planning.upgrading import for_running_servers
from tests.unit.planned import NOW, cluster, record

BEFORE = Installation("functions:1", "http://broker")
AFTER = Installation("functions:2", "http://broker")
SET = Ref(STATEFUL_SET, "apps", "zk")


def _cluster(**spec: Any) -> ZooKeeperCluster:
    return cluster({"bootstrap": record("completed", volumes=3)}, **spec)


def _installed(of: ZooKeeperCluster) -> dict[Ref, Manifest]:
    """Return every owned object as an installation of the version before left it."""
    secret = super_user_secret(of, "secret")
    made = (secret, *owned_objects(of, BEFORE, Credentials(fingerprint(secret["data"]))))
    return {
        ref_of(item): {
            **item,
            "metadata": {**item["metadata"], "uid": f"uid-{n}", "resourceVersion": "3"},
        }
        for n, item in enumerate(made)
    }


def _images(of: ZooKeeperCluster, seen: dict[Ref, Manifest], now: Installation) -> set[str]:
    """Return the images of our programs in the StatefulSet that is applied, if one is."""
    plan = plan_reconcile(of, seen, Surroundings(now, "secret"), NOW)
    sets = [
        step.manifest["spec"]["template"]["spec"]
        for step in plan
        if isinstance(step, ApplyObject) and step.manifest["kind"] == "StatefulSet"
    ]
    return {pod[part][-1]["image"] for pod in sets for part in ("initContainers", "containers")}


def test_another_image_of_the_functions_replaces_no_server() -> None:
    assert _images(_cluster(), _installed(_cluster()), AFTER) == set()


@pytest.mark.parametrize(
    ("spec", "now"),
    [
        pytest.param({"restartedAt": "2026-01-01T00:00:00Z"}, AFTER, id="the-servers-restart"),
        pytest.param({"version": "3.9.4"}, AFTER, id="zookeeper-is-upgraded"),
        pytest.param({}, Installation("functions:2", "http://kafka"), id="the-broker-moves"),
    ],
)
def test_servers_that_are_replaced_anyway_take_the_new_image_along(
    spec: dict[str, Any], now: Installation
) -> None:
    assert _images(_cluster(**spec), _installed(_cluster()), now) == {"functions:2"}


def test_an_image_of_ones_own_is_the_specs_alone() -> None:
    own = _cluster(helperImage="mine:1")
    assert _images(own, _installed(own), AFTER) == set()
    assert _images(_cluster(helperImage="mine:2"), _installed(own), AFTER) == {"mine:2"}


def test_a_server_of_a_new_ensemble_gets_the_new_image() -> None:
    seen = {ref: found for ref, found in _installed(_cluster()).items() if ref != SET}
    assert _images(_cluster(), seen, AFTER) == {"functions:2"}


@pytest.mark.parametrize(
    "containers",
    [
        pytest.param([], id="somebody-removed-it"),
        pytest.param([{"name": "agent"}], id="it-has-no-image"),
    ],
)
def test_a_set_without_our_agent_is_brought_to_the_present_image(containers: list[Any]) -> None:
    found = _installed(_cluster())[SET]
    template = found["spec"]["template"]
    bare = {**template, "spec": {**template["spec"], "containers": containers}}
    broken = {**found, "spec": {**found["spec"], "template": bare}}
    assert for_running_servers(_cluster(), AFTER, Credentials("hash"), PLAIN, broken) == AFTER
