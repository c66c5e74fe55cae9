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
    BACKUP,
    CONFIG_MAP,
    CRON_JOB,
    EVENT,
    JOB,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_DISRUPTION_BUDGET,
    STATEFUL_SET,
    Kind,
    Ref,
)
from functions.api.manifest import Manifest, ref_of
from tests.handlers.conftest import NAMESPACE, Simulation, new_simulation

SAID = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: not here."


class Policed(MemoryKube):
    """A twin whose owner forbids some kinds to be written; `asked` counts how often they were.

    `may_go` are those of them that may be deleted: most policies are about what is made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.denied: set[Kind] = set()
        self.may_go: set[Kind] = set()
        self.asked = 0
        self.sentence = SAID

    def apply(
        self, manifest: Manifest, *, manager: str, subresource: str = "", force: bool = False
    ) -> Manifest:
        self._check(ref_of(manifest))
        return super().apply(manifest, manager=manager, subresource=subresource, force=force)

    def create(self, manifest: Manifest, *, manager: str) -> Manifest:
        self._check(ref_of(manifest))
        return super().create(manifest, manager=manager)

    def delete(self, ref: Ref, *, uid: str) -> None:
        if ref.kind not in self.may_go:
            self._check(ref)
        super().delete(ref, uid=uid)

    def evict(self, ref: Ref, *, uid: str) -> None:
        self._check(ref)
        super().evict(ref, uid=uid)

    def _check(self, ref: Ref) -> None:
        if ref.kind in self.denied:
            self.asked += 1
            raise Denied(self.sentence)


def policed(*kinds: Kind) -> tuple[Simulation, Policed]:
    simulation, kube = new_simulation(), Policed()
    simulation.kube = kube
    kube.denied.update(kinds)
    return simulation, kube


@pytest.fixture(scope="module")
def serving() -> Simulation:
    simulation, _ = policed()
    simulation.apply(replicas=3)
    simulation.settle()
    return simulation


def policed_later(serving: Simulation, *kinds: Kind) -> tuple[Simulation, Policed]:
    """Return a cluster that serves, of which these kinds may not be written any more."""
    simulation = serving.fork()
    kube = simulation.kube
    assert isinstance(kube, Policed)
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


@pytest.mark.parametrize(
    ("kind", "then"),
    [
        pytest.param(POD_DISRUPTION_BUDGET, "Scaling", id="budget"),
        pytest.param(STATEFUL_SET, "ServersJoining", id="number-of-pods"),
    ],
)
def test_a_growth_that_is_denied_says_so_and_goes_on_once_it_is_allowed(
    serving: Simulation, kind: Kind, then: str
) -> None:
    simulation, kube = policed_later(serving, kind)
    simulation.apply(replicas=5)
    simulation.settle()
    assert simulation.condition("Scaled") == ("False", "Denied")
    kube.denied.clear()
    assert simulation.deliver("scale").status == 204
    assert simulation.condition("Scaled") == ("False", then), "what is over is not said on"
    simulation.settle()
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    assert len(simulation.pods()) == 5


def test_a_budget_that_is_denied_says_so_although_the_servers_are_as_wanted() -> None:
    simulation, kube = policed(POD_DISRUPTION_BUDGET)
    simulation.apply(replicas=3)
    simulation.settle()
    assert simulation.condition("Scaled") == ("False", "Denied")
    assert simulation.condition("Available") == ("True", "QuorumServes")
    assert len(warnings(simulation)) == 1
    kube.denied.clear()
    simulation.settle()
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    assert len(kube.list(POD_DISRUPTION_BUDGET, NAMESPACE)) == 1


def test_a_stop_that_is_denied_says_so_and_is_made_once_it_is_allowed(serving: Simulation) -> None:
    simulation, kube = policed_later(serving, STATEFUL_SET)
    simulation.apply(replicas=3, stopped=True)
    simulation.settle()
    assert simulation.condition("Scaled") == ("False", "Denied")
    assert len(simulation.pods()) == 3
    kube.denied = {POD_DISRUPTION_BUDGET}
    simulation.settle()
    assert simulation.pods() == []
    assert simulation.condition("Scaled") == ("False", "Denied"), "the budget may not be lowered"
    kube.denied.clear()
    simulation.settle()
    assert simulation.condition("Scaled") == ("True", "Stopped")


def test_a_restore_whose_stop_is_denied_says_so_and_goes_on_once_it_is_allowed(
    serving: Simulation,
) -> None:
    simulation, kube = policed_later(serving, STATEFUL_SET)
    simulation.apply_restore()
    simulation.settle()
    assert simulation.condition("Scaled") == ("False", "Denied")
    assert {"zk-0", "zk-1", "zk-2"} <= set(simulation.pods())
    kube.denied.clear()
    simulation.settle()
    assert simulation.restore().status.status == "restarted"
    assert simulation.condition("Scaled") == ("True", "AsWanted")


def test_a_roll_that_is_denied_says_so_and_goes_on_once_it_is_allowed(serving: Simulation) -> None:
    simulation, kube = policed_later(serving, POD)
    simulation.apply(replicas=3, restartedAt="2026-01-01T00:00:00Z")
    simulation.settle()
    assert simulation.condition("Updated") == ("False", "Denied")
    assert len(warnings(simulation)) == 1
    kube.denied.clear()
    assert simulation.deliver("roll").status == 204
    assert simulation.condition("Updated") == ("False", "Rolling"), "what is over is not said on"
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


def test_where_no_events_are_allowed_everything_else_is_done() -> None:
    simulation, kube = policed(EVENT)
    simulation.apply(replicas=3)
    simulation.settle()
    assert kube.asked > 0
    assert simulation.condition("Scaled") == ("True", "AsWanted")
    assert simulation.events() == []


NIGHTLY = Ref(BACKUP, NAMESPACE, "nightly")
HOURLY = {"mode": "schedule", "schedule": "0 * * * *"}


def backed_up(serving: Simulation, **spec: Any) -> tuple[Simulation, Policed]:
    """Return the cluster with a backup by schedule that was made once."""
    simulation, kube = policed_later(serving)
    simulation.apply_backup(**HOURLY, **spec)
    simulation.settle()
    run(simulation)
    return simulation, kube


def run(simulation: Simulation) -> None:
    assert simulation.fire()
    simulation.settle()


def scheduled(simulation: Simulation) -> tuple[str, str]:
    found = simulation.backup().status.conditions
    return next((c.status, c.reason) for c in found if c.type == "Scheduled")


def recorded(simulation: Simulation) -> int:
    return len(simulation.backup().status.record)


@pytest.mark.parametrize(
    ("kind", "spec"), [pytest.param(JOB, {}, id="once"), pytest.param(CRON_JOB, HOURLY, id="often")]
)
def test_a_backup_that_is_denied_says_so_and_is_made_once_it_is_allowed(
    serving: Simulation, kind: Kind, spec: dict[str, str]
) -> None:
    simulation, kube = policed_later(serving, kind)
    simulation.apply_backup(**spec)
    simulation.settle()
    assert scheduled(simulation) == ("False", "Denied")
    assert SAID in (simulation.backup().status.message or "")
    assert len(warnings(simulation)) == 1
    assert simulation.resync("unsettled") == [NIGHTLY], "it is tried again by and by"
    kube.asked, written = 0, len(kube.writes)
    assert simulation.deliver("backup", NIGHTLY).status == 204
    assert (kube.asked, len(kube.writes)) == (1, written), "a write is an event, and a next look"
    kube.sentence = "exceeded quota: another"
    simulation.settle()
    assert kube.sentence in (simulation.backup().status.message or "")
    assert len(warnings(simulation)) == 1, "it is still the same news"
    kube.denied.clear()
    simulation.settle()
    assert scheduled(simulation) == ("True", "AsWanted")
    assert simulation.kube.list(kind, NAMESPACE) or recorded(simulation) == 1


def test_what_may_not_be_changed_of_a_schedule_keeps_no_backup_from_the_record(
    serving: Simulation,
) -> None:
    simulation, kube = backed_up(serving)
    kube.denied.add(CRON_JOB)
    simulation.apply_backup(mode="schedule", schedule="30 * * * *")
    simulation.settle()
    assert scheduled(simulation) == ("False", "Denied")
    run(simulation)
    assert recorded(simulation) == 2
    assert scheduled(simulation) == ("False", "Denied")
    kube.denied.clear()
    simulation.settle()
    assert scheduled(simulation) == ("True", "AsWanted")


def test_old_backups_that_may_not_be_removed_keep_no_new_one_from_the_record(
    serving: Simulation,
) -> None:
    simulation, kube = backed_up(serving, retention={"keepLast": 1})
    kube.denied.add(JOB)
    kube.may_go.add(JOB)
    run(simulation)
    run(simulation)
    assert recorded(simulation) == 3
    assert scheduled(simulation) == ("False", "Denied")
    assert len(warnings(simulation)) == 1
    kube.denied.clear()
    simulation.settle()
    assert (recorded(simulation), len(simulation.jobs.store)) == (1, 1)
    assert scheduled(simulation) == ("True", "AsWanted")
