"""Which volumes of servers that left may be deleted, and what a refused change leads to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.api.errors import ReconfigRefused, Refused
from functions.planning.leftovers import volumes_to_remove
from functions.planning.operation import Step
from functions.planning.refusal import plan_refused_change, release, standing
from functions.planning.scale_slice import Seen
from functions.planning.scaling import SeenEnsemble, wanted_roles
from functions.planning.seen import SeenClaim
from functions.planning.status import Wanted
from tests.unit.planned import (
    NOW,
    after,
    changed,
    claim,
    claims,
    cluster,
    condition,
    pod,
    record,
    stateful_set,
    status,
    told,
)


def _cluster(replicas: int = 3, policy: str = "Delete", members: int = 3) -> Any:
    listed = [{"id": n + 1, "role": "participant"} for n in range(members)]
    known = {"bootstrap": record("completed"), "members": listed}
    return cluster(known, replicas=replicas, storage={"onScaleDown": policy})


def _ensemble(size: int = 3, *, leader: int = 1, replicas: int = 3) -> SeenEnsemble:
    roles = wanted_roles(size, 0) if leader else {}
    return SeenEnsemble(roles, 7, frozenset(roles), leader, replicas, size)


def _seen(volumes: tuple[SeenClaim, ...] = claims(5), pods: tuple[str, ...] = ()) -> Seen:
    running = tuple(map(pod, ("zk-0", "zk-1", "zk-2", *pods)))
    return Seen(stateful_set(), volumes, running, None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "seen", "ensemble", "names"),
    [
        pytest.param(
            _cluster(), _seen(), _ensemble(), ["data-zk-3", "data-zk-4"], id="of-servers-that-left"
        ),
        pytest.param(
            _cluster(), _seen((*claims(3), claim("datalog-zk-3"))), _ensemble(),
            ["datalog-zk-3"], id="of-the-log-too",
        ),
        pytest.param(_cluster(policy="Retain"), _seen(), _ensemble(), [], id="they-are-to-stay"),
        pytest.param(_cluster(), _seen(), _ensemble(leader=0), [], id="no-list-to-look-at"),
        pytest.param(_cluster(), _seen(), _ensemble(5), [], id="they-are-members"),
        pytest.param(_cluster(members=5), _seen(), _ensemble(), [], id="they-are-on-record"),
        pytest.param(_cluster(5), _seen(), _ensemble(), [], id="they-are-wanted-again"),
        pytest.param(
            _cluster(), _seen(pods=("zk-4",)), _ensemble(), ["data-zk-3"], id="a-pod-still-stops"
        ),
        pytest.param(_cluster(), _seen(), _ensemble(replicas=5), [], id="pods-are-asked-for"),
        pytest.param(
            _cluster(), _seen((*claims(3), claim("data-zk-3", is_deleting=True))), _ensemble(),
            [], id="it-is-going-already",
        ),
        pytest.param(
            _cluster(), _seen((*claims(3), claim("data-other-3"), claim("mine-zk-4"))),
            _ensemble(), [], id="somebody-elses",
        ),
    ],
)  # fmt: skip
def test_volumes_to_remove(
    known: Any, seen: Seen, ensemble: SeenEnsemble, names: list[str]
) -> None:
    found = volumes_to_remove(known, seen, ensemble)
    assert (found.claims if found else ()) == tuple((name, f"uid-of-{name}") for name in names)


@given(*(st.integers(0, 6) for _ in range(5)))
def test_no_volume_goes_that_any_server_could_need(
    wanted: int, members: int, listed: int, replicas: int, pods: int
) -> None:
    known = _cluster(max(wanted, 1), members=members)
    running = tuple(f"zk-{n}" for n in range(3, pods))
    found = volumes_to_remove(
        known, _seen(claims(7), running), _ensemble(listed, replicas=replicas)
    )
    kept = max(wanted, 1, members, listed, replicas, pods, 3)
    assert found is None or found.claims[0][0] == f"data-zk-{kept}"


STEP = Step("Scale", "AddMember", "5 servers", server_id=4, config_version=7)
HELD = {
    "type": "Scale", "step": "AddMember", "target": "5 servers", "serverId": 4, "configVersion": 7,
}  # fmt: skip
NO = ReconfigRefused("10.0.0.1:2181 does not accept the super user's password.")


def _moving(**more: Any) -> Any:
    return cluster({"bootstrap": record("completed"), "operation": HELD, **more})


def test_a_refusal_is_told_by_the_servers_own_sentence_and_one_warning() -> None:
    plan = plan_refused_change(_moving(), NO, NOW)
    assert told(plan) == ["ReconfigRefused"]
    assert condition(plan, "Scaled") == ("False", "ReconfigRefused")
    assert str(NO) in status(plan)["conditions"][0]["message"]
    known = after(_moving(), plan)
    assert plan_refused_change(known, NO, NOW) == ()
    assert told(plan_refused_change(known, ReconfigRefused("another"), NOW)) == []


def test_what_kubernetes_refuses_is_no_news_of_the_member_list() -> None:
    plan = plan_refused_change(_moving(), Refused("forbidden"), NOW)
    assert told(plan) == ["Denied"]
    assert condition(plan, "Scaled") == ("False", "Denied")
    assert plan_refused_change(after(_moving(), plan), Refused("forbidden"), NOW) == ()


def test_what_is_worse_than_a_denial_is_said_in_its_place() -> None:
    seen = {"type": "Scaled", "status": "False", "reason": "NoQuorum", "observedGeneration": 1}
    assert plan_refused_change(_moving(conditions=[seen]), Refused("forbidden"), NOW) == ()
    old = _moving(conditions=[{**seen, "observedGeneration": 0}])
    assert told(plan_refused_change(old, Refused("forbidden"), NOW)) == ["Denied"]


def test_a_refused_step_stands_until_another_is_to_be_taken() -> None:
    known = after(_moving(), plan_refused_change(_moving(), NO, NOW))
    stands = standing(known, STEP)
    assert isinstance(stands, Wanted)
    assert stands.reason == "ReconfigRefused"
    later = Step("Scale", "AddMember", "5 servers", server_id=4, config_version=8)
    assert standing(known, later) is None
    assert standing(known, Step("Scale", "RunServers", "5 servers", replicas=5)) is None
    assert standing(_moving(), STEP) is None
    assert standing(changed(known, generation=2), STEP) is None


def test_a_refused_step_says_what_it_waits_for_once() -> None:
    known = after(_moving(), plan_refused_change(_moving(), NO, NOW))
    plan = release(known, STEP)
    assert str(NO) in status(plan)["operation"]["message"]
    assert release(after(known, plan), STEP) == ()
    assert release(_moving(), STEP) == ()
