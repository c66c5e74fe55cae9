"""resync with many clusters: all are found, and never more than some of them are held at once."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest

from functions.adapters.memory import MemoryKube
from functions.api.errors import Unavailable
from functions.api.kinds import CLUSTER, POD, SERVICE, Kind, Ref
from functions.api.manifest import Manifest, Selector
from functions.runtime.events import PING_EVENT, Event
from functions.runtime.function import FUNCTIONS, deliver
from functions.runtime.resync_clusters import AT_A_TIME
from local.platform.handle import eventually
from tests.handlers.conftest import new_simulation

MANY = 2 * AT_A_TIME + 1
LABELS = {"app.kubernetes.io/managed-by": "zookeeper-functions", "operator": "zookeeper"}


class Counting(MemoryKube):
    """A twin that notes how much it answers to a list."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: list[tuple[str, int]] = []

    def list(
        self, kind: Kind, namespace: str | None, labels: Selector | None = None
    ) -> list[Manifest]:
        found = super().list(kind, namespace, labels)
        self.answered.append((kind.name, len(found)))
        return found


def herd(count: int) -> Any:
    """Return a world with so many clusters that nobody has looked at yet, each with two objects."""
    simulation = new_simulation()
    simulation.kube = Counting()
    for number in range(count):
        name = f"zk-{number:03}"
        for kind, own in ((CLUSTER, name), (POD, f"{name}-0"), (SERVICE, f"{name}-client")):
            metadata = {"name": own, "namespace": "apps", "labels": {**LABELS, "instance": name}}
            given = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
            simulation.kube.put({**given, "spec": {}})
    return simulation


def of_others(simulation: Any) -> list[int]:
    return [count for kind, count in simulation.kube.answered if kind != CLUSTER.name]


@pytest.mark.parametrize("scope", ["unsettled", "all"])
def test_every_one_of_many_is_sent(scope: str) -> None:
    wanted = [Ref(CLUSTER, "apps", f"zk-{number:03}") for number in range(MANY)]
    assert herd(MANY).resync(scope) == sorted(wanted, key=str)


def test_what_is_held_at_once_does_not_grow_with_the_number_of_clusters() -> None:
    simulation = herd(MANY)
    simulation.resync("unsettled")
    assert max(of_others(simulation)) == AT_A_TIME


def test_requests_grow_with_the_clusters_by_hundreds_not_one_by_one() -> None:
    asked = {}
    for count in (1, AT_A_TIME, MANY):
        simulation = herd(count)
        simulation.resync("unsettled")
        asked[count] = len(simulation.kube.answered)
    assert asked[1] == asked[AT_A_TIME] < asked[MANY] < 3 * asked[1]


def test_a_broker_that_takes_no_more_is_told_and_the_tick_is_delivered_again() -> None:
    simulation = herd(MANY)

    def refuse(attributes: Any, data: Any) -> None:
        del attributes, data
        raise Unavailable("The broker answers 503.")

    simulation._emit = refuse
    event = Event({"type": PING_EVENT, "id": "1", "source": "/ping"}, {"scope": "all"})
    assert deliver(FUNCTIONS["resync"], event, simulation.world).status == 503


def test_ticks_that_come_faster_than_all_is_looked_at_do_not_add_up() -> None:
    """One looks and one waits to look; what comes besides has nothing to do."""
    simulation = herd(1)
    tick = Event({"type": PING_EVENT, "id": "1", "source": "/ping"}, {"scope": "all"})
    statuses: list[int] = []
    others: list[Thread] = []

    def give_up_to_others(attributes: Any, data: Any) -> None:
        del attributes, data
        if others:
            return
        # While the first one sends, two more come: one of them is answered at once.
        others.extend(Thread(target=take, daemon=True) for _ in range(2))
        for other in others:
            other.start()
        eventually(lambda: len(statuses) == 1, seconds=10, what="one tick to be answered")

    def take() -> None:
        statuses.append(deliver(FUNCTIONS["resync"], tick, simulation.world).status)

    simulation._emit = give_up_to_others
    take()
    for other in others:
        other.join(10)
    assert statuses == [204, 204, 204]
    assert [kind for kind, _ in simulation.kube.answered].count(CLUSTER.name) == 2
