"""Installed for one namespace, the functions ask for nothing outside it, and still do all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from functions.api.errors import Unavailable
from functions.api.kinds import CLUSTER, POD, Kind, Ref
from functions.api.manifest import Manifest, Selector, ref_of
from functions.runtime.events import PING_EVENT, Event, reference_event
from functions.runtime.function import FUNCTIONS, Answer, deliver
from functions.runtime.settings import Settings
from functions.runtime.world import Kube, World

FENCED = Settings(namespace="apps", conflict_pause=0.0)
OF_CLUSTERS = ("reconcile-cluster", "observe", "scale", "roll", "backup", "restore")


class OneNamespace:
    """A Kubernetes API that allows one namespace alone, as Roles do, and notes what it refused."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self.refused: list[str] = []

    def get(self, ref: Ref) -> Manifest | None:
        self._check("get", ref.kind, ref.namespace)
        return self._kube.get(ref)

    def list(
        self, kind: Kind, namespace: str | None, labels: Selector | None = None
    ) -> list[Manifest]:
        self._check("list", kind, namespace)
        return self._kube.list(kind, namespace, labels)

    def apply(
        self, manifest: Manifest, *, manager: str, subresource: str = "", force: bool = False
    ) -> Manifest:
        self._write("apply", ref_of(manifest))
        return self._kube.apply(manifest, manager=manager, subresource=subresource, force=force)

    def replace(self, manifest: Manifest, *, manager: str) -> Manifest:
        self._write("replace", ref_of(manifest))
        return self._kube.replace(manifest, manager=manager)

    def create(self, manifest: Manifest, *, manager: str) -> Manifest:
        self._write("create", ref_of(manifest))
        return self._kube.create(manifest, manager=manager)

    def delete(self, ref: Ref, *, uid: str) -> None:
        self._write("delete", ref)
        self._kube.delete(ref, uid=uid)

    def evict(self, ref: Ref, *, uid: str) -> None:
        self._write("evict", ref)
        self._kube.evict(ref, uid=uid)

    def serves(self, kind: Kind) -> bool:
        return self._kube.serves(kind)

    def _write(self, verb: str, ref: Ref) -> None:
        self._check(verb, ref.kind, ref.namespace)

    def _check(self, verb: str, kind: Kind, namespace: str | None) -> None:
        if namespace != self._namespace:
            self.refused.append(f"{verb} {kind.plural} in {namespace or 'all namespaces'}")
            raise Unavailable(f"403: {self.refused[-1]}")


class Installation:
    """The functions as they are installed for the namespace `apps`."""

    def __init__(self, simulation: Any, settings: Settings = FENCED) -> None:
        self.simulation = simulation
        self.kube = OneNamespace(simulation.kube, "apps")
        self.world: World = replace(simulation.world(), kube=self.kube, settings=settings)

    def deliver(self, function: str, ref: Ref) -> Answer:
        attributes, data = reference_event(ref)
        return deliver(FUNCTIONS[function], Event({**attributes, "id": "1"}, data), self._world)

    def resync(self, scope: str) -> Answer:
        self.simulation.sent.clear()
        event = Event({"type": PING_EVENT, "id": "1", "source": "/ping"}, {"scope": scope})
        return deliver(FUNCTIONS["resync"], event, self._world)

    def settle(self) -> None:
        """Deliver an event about the cluster to every function until all serve."""
        for _ in range(60):
            for function in OF_CLUSTERS:
                self.deliver(function, Ref(CLUSTER, "apps", "zk"))
            if not self.simulation.kubernetes() and self._is_settled():
                return
        raise AssertionError("it never settles")

    def _is_settled(self) -> bool:
        assert self.resync("unsettled").status == 204
        return not self.simulation.sent

    def _world(self) -> World:
        return self.world


@pytest.fixture
def installed(simulation: Any) -> Installation:
    simulation.apply(replicas=3)
    return Installation(simulation)


def test_an_ensemble_is_made_without_a_look_at_any_other_namespace(installed: Installation) -> None:
    installed.simulation.apply_backup()
    installed.settle()
    assert installed.simulation.condition("Available") == ("True", "QuorumServes")
    assert installed.kube.refused == []


def test_resync_tells_of_the_objects_of_its_namespace_alone(installed: Installation) -> None:
    installed.simulation.apply(name="theirs", namespace="other", replicas=1)
    for scope in ("unsettled", "all"):
        assert installed.resync(scope).status == 204
        assert {ref.namespace for ref in installed.simulation.sent} == {"apps"}
    assert installed.kube.refused == []


@pytest.mark.parametrize("function", [*OF_CLUSTERS, "dead-letter"])
@pytest.mark.parametrize("kind", [CLUSTER, POD], ids=lambda kind: kind.name)
def test_an_event_about_another_namespace_is_none_of_theirs(
    installed: Installation, function: str, kind: Kind
) -> None:
    installed.simulation.apply(name="theirs", namespace="other", replicas=1)
    answer = installed.deliver(function, Ref(kind, "other", "theirs"))
    assert (answer.status, installed.kube.refused) == (204, [])


def test_without_being_told_of_its_namespace_it_asks_for_all(installed: Installation) -> None:
    everywhere = Installation(installed.simulation, Settings(conflict_pause=0.0))
    assert everywhere.resync("unsettled").status == 503
    assert everywhere.kube.refused == ["list zookeeperclusters in all namespaces"]


def test_all_voters_on_one_node_are_no_reason_to_count_nodes(installed: Installation) -> None:
    """Nodes belong to no namespace, so the condition Spread stays unsaid."""
    installed.settle()
    pods = [installed.simulation.kube.get(Ref(POD, "apps", f"zk-{n}")) for n in range(3)]
    for pod in pods:
        installed.simulation.kube.put(
            {**pod, "spec": {**pod["spec"], "nodeName": "one"}}, manager="scheduler"
        )
    assert installed.deliver("observe", Ref(CLUSTER, "apps", "zk")).status == 204
    assert installed.kube.refused == []
    assert installed.simulation.condition("Spread") == ("", "")
