"""The functions in a new version, on ensembles that the version before left running."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from functions.api.kinds import CLUSTER, POD, STATEFUL_SET, Ref
from functions.runtime.events import PING_EVENT, Event, reference_event
from functions.runtime.function import FUNCTIONS, deliver
from functions.runtime.settings import Settings
from tests.handlers.conftest import CLUSTER_FUNCTIONS

NEWER = Settings(functions_image="zookeeper-functions:2", conflict_pause=0.0)
SET = Ref(STATEFUL_SET, "apps", "zk")


@pytest.fixture
def upgraded(simulation: Any) -> Any:
    """An ensemble that serves, and functions that are told of another image."""
    simulation.apply(replicas=3)
    simulation.settle()
    return simulation


def _newer(simulation: Any, event: Event, function: str) -> int:
    world = replace(simulation.world(), settings=NEWER)
    return deliver(FUNCTIONS[function], event, lambda: world).status


def _round(simulation: Any) -> None:
    attributes, data = reference_event(Ref(CLUSTER, "apps", "zk"))
    for function in CLUSTER_FUNCTIONS:
        assert _newer(simulation, Event({**attributes, "id": "1"}, data), function) == 204


def _pods(simulation: Any) -> set[str]:
    return {pod["metadata"]["uid"] for pod in simulation.kube.list(POD, "apps")}


def test_an_upgrade_with_another_image_writes_nothing_and_restarts_nothing(upgraded: Any) -> None:
    pods, writes = _pods(upgraded), len(upgraded.kube.writes)
    _round(upgraded)
    tick = Event({"type": PING_EVENT, "id": "1", "source": "/ping"}, {"scope": "unsettled"})
    upgraded.sent.clear()
    assert _newer(upgraded, tick, "resync") == 204
    assert (upgraded.kube.writes[writes:], upgraded.sent, _pods(upgraded)) == ([], [], pods)


def test_a_restart_that_somebody_asks_for_brings_the_new_image(upgraded: Any) -> None:
    upgraded.apply(replicas=3, restartedAt="2026-01-02T00:00:00Z")
    _round(upgraded)
    template = upgraded.kube.get(SET)["spec"]["template"]["spec"]
    assert template["initContainers"][0]["image"] == "zookeeper-functions:2"
