"""What Kubernetes does not allow is said in a condition and an Event, and tried again in peace.

A quota, a security standard or a policy of the cluster's owner forbids a write, for good until
somebody changes it. That must neither become dead letters nor a loop of tries that wake each other.
"""

from __future__ import annotations

from typing import Any

import pytest

from functions.adapters.memory import MemoryKube
from functions.api.errors import Denied
from functions.api.kinds import (
    CONFIG_MAP,
    EVENT,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_DISRUPTION_BUDGET,
    STATEFUL_SET,
    Kind,
    Ref,
)
from functions.api.manifest import Manifest, ref_of
from tests.handlers.conftest import Simulation, new_simulation

SAID = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: not here."


class Policed(MemoryKube):
    """A twin whose owner forbids some kinds to be written; `asked` counts how often they were."""

    def __init__(self) -> None:
        super().__init__()
        self.denied: set[Kind] = set()
        self.asked = 0

    def apply(
        self, manifest: Manifest, *, manager: str, subresource: str = "", force: bool = False
    ) -> Manifest:
        self._check(ref_of(manifest))
        return super().apply(manifest, manager=manager, subresource=subresource, force=force)

    def create(self, manifest: Manifest, *, manager: str) -> Manifest:
        self._check(ref_of(manifest))
        return super().create(manifest, manager=manager)

    def delete(self, ref: Ref, *, uid: str) -> None:
        self._check(ref)
        super().delete(ref, uid=uid)

    def evict(self, ref: Ref, *, uid: str) -> None:
        self._check(ref)
        super().evict(ref, uid=uid)

    def _check(self, ref: Ref) -> None:
        if ref.kind in self.denied:
            self.asked += 1
            raise Denied(SAID)


def policed(*kinds: Kind) -> tuple[Simulation, Policed]:
    simulation, kube = new_simulation(), Policed()
    simulation.kube = kube
    kube.denied.update(kinds)
    return simulation, kube


def warnings(simulation: Any) -> list[str]:
    found = simulation.kube.list(EVENT, None)
    return [e["message"] for e in found if e["reason"] == "Denied" and e["type"] == "Warning"]


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        pytest.param(CONFIG_MAP, "Reconciled", id="config-map"),
        pytest.param(STATEFUL_SET, "Reconciled", id="stateful-set"),
        pytest.param(PERSISTENT_VOLUME_CLAIM, "Scaled", id="claim"),
    ],
)
def test_a_creation_that_is_denied_says_so_and_goes_on_once_it_is_allowed(
    kind: Kind, condition: str
) -> None:
    simulation, kube = policed(kind)
    simulation.apply(replicas=3)
    simulation.settle()
    assert simulation.condition(condition) == ("False", "Denied")
    told = next(c for c in simulation.cluster().status.conditions if c.type == condition)
    assert SAID in told.message
    assert len(warnings(simulation)) == 1
    assert len(simulation.resync("unsettled")) == 1, "it is tried again by and by"
    kube.denied.clear()
    simulation.settle()
    assert simulation.condition(condition) == ("True", "AsWanted")
    assert len(simulation.pods()) == 3


def test_a_growth_that_is_denied_says_so_and_goes_on_once_it_is_allowed() -> None:
    simulation, kube = policed()
    simulation.apply(replicas=3)
    simulation.settle()
    kube.denied.add(POD_DISRUPTION_BUDGET)
    simulation.apply(replicas=5)
    simulation.settle()
    assert simulation.condition("Scaled") == ("False", "Denied")
    kube.denied.clear()
    simulation.settle()
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    assert len(simulation.pods()) == 5


def test_a_roll_that_is_denied_says_so_and_goes_on_once_it_is_allowed() -> None:
    simulation, kube = policed()
    simulation.apply(replicas=3)
    simulation.settle()
    kube.denied.add(POD)
    simulation.apply(replicas=3, restartedAt="2026-01-01T00:00:00Z")
    simulation.settle()
    assert simulation.condition("Updated") == ("False", "Denied")
    assert len(warnings(simulation)) == 1
    kube.denied.clear()
    simulation.settle()
    assert simulation.condition("Updated") == ("True", "AsWanted")


def test_another_spec_is_not_taken_for_denied_before_it_was_tried() -> None:
    simulation, kube = policed(PERSISTENT_VOLUME_CLAIM)
    simulation.apply(replicas=3)
    simulation.settle()
    kube.denied.clear()
    simulation.apply(replicas=3, labels={"team": "x"})
    simulation.settle()
    assert simulation.condition("Scaled") == ("True", "AsWanted")


def test_a_denied_step_is_asked_for_once_a_look_and_wakes_nobody() -> None:
    simulation, kube = policed(PERSISTENT_VOLUME_CLAIM)
    simulation.apply(replicas=3)
    simulation.settle()
    kube.asked, written = 0, len(kube.writes)
    for _ in range(3):
        assert simulation.deliver("scale").status == 204
    assert kube.asked == 3
    assert len(kube.writes) == written, "a write is an event, and that would be the next look"
