"""What status says of the servers, for everything that can be seen of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.planning.observation import Answer, plan_observe
from functions.planning.seen import SeenPod
from functions.planning.steps import WriteStatus
from tests.unit.planned import (
    NOW,
    after,
    cluster,
    condition,
    kinds,
    message,
    pod,
    record,
    stats,
    status,
    told,
)

COMPLETED = {"bootstrap": record("completed", volumes=3)}
PODS = tuple(pod(f"zk-{number}") for number in range(3))


def _answers(*modes: str) -> dict[str, Answer]:
    return {f"zk-{number}": stats(mode) for number, mode in enumerate(modes)}


def test_a_healthy_ensemble_is_told_in_the_seed_systems_shape() -> None:
    plan = plan_observe(
        cluster(COMPLETED), PODS, _answers("follower", "leader", "follower"), None, NOW
    )
    assert status(plan)["servers"] == [
        {"name": f"zk-{n}", "myId": str(n + 1), "mode": mode, "ready": "true", "message": ""}
        for n, mode in enumerate(["follower", "leader", "follower"])
    ]
    told_of = status(plan)
    assert (told_of["replicas"], told_of["readyReplicas"]) == (3, 3)
    assert (told_of["leader"], told_of["version"]) == ("zk-1", "3.9.5")
    assert told(plan) == ["QuorumFormed", "AllServersServe", "LeaderElected"]


@pytest.mark.parametrize(
    ("pods", "answers", "available", "healthy", "part"),
    [
        pytest.param(
            PODS, _answers("leader", "follower", ""),
            ("True", "QuorumServes"), ("False", "ServersMissing"),
            "zk-2 runs", id="one-looks-for-a-quorum",
        ),
        pytest.param(
            PODS, _answers("leader", "follower", "observer"),
            ("True", "QuorumServes"), ("False", "ServersMissing"),
            "zk-2", id="a-voter-does-not-vote-yet",
        ),
        pytest.param(
            PODS[:2], _answers("leader", "follower"),
            ("True", "QuorumServes"), ("False", "ServersMissing"),
            "zk-2 has no pod", id="a-pod-is-missing",
        ),
        pytest.param(
            PODS, _answers("", "", ""),
            ("False", "NoQuorum"), ("False", "NoQuorum"),
            "0 of 3 voters serve", id="none-serves",
        ),
        pytest.param(
            PODS, _answers("follower", "follower", "follower"),
            ("False", "NoQuorum"), ("True", "AllServe"),
            "All 3 voters serve", id="nobody-leads",
        ),
        pytest.param(
            PODS, {pod.name: "does not answer: timed out" for pod in PODS},
            ("Unknown", "Unreachable"), ("False", "NoQuorum"),
            "does not answer: timed out", id="ready-pods-that-cannot-be-reached",
        ),
        pytest.param(
            (*PODS[:2], pod("zk-2", address="", is_ready=False, trouble="x ImagePullBackOff: no")),
            _answers("leader", "follower"),
            ("True", "QuorumServes"), ("False", "ServersMissing"),
            "zk-2 x ImagePullBackOff: no", id="an-image-that-cannot-be-had",
        ),
        pytest.param(
            (*PODS[:2], pod("zk-2", address="", is_ready=False)), _answers("leader", "follower"),
            ("True", "QuorumServes"), ("False", "ServersMissing"),
            "zk-2 is starting", id="a-pod-that-waits",
        ),
    ],
)  # fmt: skip
def test_conditions_tell_what_is_missing(
    pods: tuple[SeenPod, ...],
    answers: dict[str, Answer],
    available: tuple[str, str],
    healthy: tuple[str, str],
    part: str,
) -> None:
    """Guards against C9, G5, G9, G23 and G26: one dead pod that hides the rest, ruok as health."""
    plan = plan_observe(cluster(COMPLETED), pods, answers, None, NOW)
    assert condition(plan, "Available") == available
    assert condition(plan, "QuorumHealthy") == healthy
    assert part in message(plan, "QuorumHealthy")


@pytest.mark.parametrize(
    ("pods", "answers", "said"),
    [
        pytest.param(
            (PODS[0], pod("zk-1", is_deleting=True), PODS[2]),
            _answers("follower", "", "follower"),
            "2 of 3 voters serve, 2 are needed: zk-1 is being stopped; no server leads.",
            id="the-leader-stops",
        ),
        pytest.param(
            PODS,
            _answers("follower", "follower", "follower"),
            "3 of 3 voters serve, 2 are needed: no server leads.",
            id="nobody-leads-yet",
        ),
        pytest.param(
            PODS,
            {**_answers("", "", ""), "zk-0": "is slow."},
            "0 of 3 voters serve, 2 are needed: zk-0 is slow; zk-1 runs without a quorum; "
            "zk-2 runs without a quorum.",
            id="an-answer-is-a-sentence-already",
        ),
        pytest.param(
            PODS,
            {"zk-0": "is slow.", "zk-1": "is slow.", "zk-2": stats("")},
            "The pods zk-0, zk-1 are ready, but do not answer the functions: the servers hang, or "
            "the functions cannot reach their addresses.",
            id="a-majority-is-silent",
        ),
    ],
)
def test_who_is_missing_is_told_in_one_sentence(
    pods: tuple[SeenPod, ...], answers: dict[str, Answer], said: str
) -> None:
    plan = plan_observe(cluster(COMPLETED), pods, answers, None, NOW)
    assert message(plan, "Available") == said


def test_a_pod_that_is_being_stopped_serves_but_is_not_ready() -> None:
    pods = (*PODS[:2], pod("zk-2", is_deleting=True))
    plan = plan_observe(
        cluster(COMPLETED), pods, _answers("leader", "follower", "follower"), None, NOW
    )
    assert status(plan)["servers"][2] == {
        "name": "zk-2", "myId": "3", "mode": "follower", "ready": "false",
        "message": "is being stopped",
    }  # fmt: skip
    assert status(plan)["readyReplicas"] == 2


def test_of_two_leaders_the_one_of_the_later_epoch_leads() -> None:
    answers: dict[str, Answer] = {
        "zk-0": stats("leader", 0x2_0000_0009),
        "zk-1": stats("leader", 0x3_0000_0000),
    }
    assert status(plan_observe(cluster(COMPLETED), PODS, answers, None, NOW))["leader"] == "zk-1"


@pytest.mark.parametrize(
    ("versions", "shown"),
    [(["3.9.5", "3.10.0"], "3.9.5"), (["3.9.10", "3.9.9"], "3.9.9"), (["3.8.4-x"], "3.8.4-x")],
)
def test_the_oldest_version_is_shown_while_they_differ(versions: list[str], shown: str) -> None:
    """Guards against G21: a version that cannot be read ends the observation."""
    answers: dict[str, Answer] = {
        f"zk-{n}": stats("follower", version=version) for n, version in enumerate(versions)
    }
    assert status(plan_observe(cluster(COMPLETED), PODS, answers, None, NOW))["version"] == shown


def test_nobody_leads_and_no_version_is_no_field() -> None:
    written = status(plan_observe(cluster(COMPLETED), PODS, {}, None, NOW))
    assert {"leader", "version"}.isdisjoint(written)


def test_a_pod_outside_the_member_list_is_shown_and_does_not_count() -> None:
    pods = (*PODS, pod("zk-3"))
    answers = _answers("leader", "follower", "follower", "observer")
    plan = plan_observe(cluster(COMPLETED), pods, answers, None, NOW)
    assert [server["mode"] for server in status(plan)["servers"]][3] == "observer"
    assert message(plan, "Available").startswith("3 of 3 voters serve")


@pytest.mark.parametrize(
    ("known", "count"),
    [
        pytest.param({"members": [{"id": 1, "role": "participant"}, {"id": 2, "role": "observer"}]},
                     1, id="as-committed"),
        pytest.param({"bootstrap": record(size=2)}, 2, id="as-first-recorded"),
        pytest.param({}, 3, id="as-the-spec-asks"),
    ],
)  # fmt: skip
def test_who_votes_is_taken_from_what_is_known_best(known: dict[str, Any], count: int) -> None:
    plan = plan_observe(cluster(known), (), {}, None, NOW)
    assert f"0 of {count} voter" in message(plan, "Available")


def test_a_cluster_that_has_yet_to_start_has_lost_nothing() -> None:
    assert told(plan_observe(cluster({"bootstrap": record()}), (), {}, None, NOW)) == []
    assert told(plan_observe(cluster(COMPLETED), (), {}, None, NOW)) == ["NoQuorum", "NoQuorum"]


def test_the_time_of_a_condition_is_that_of_its_last_turn() -> None:
    answers = _answers("leader", "follower", "follower")
    first = after(cluster(COMPLETED), plan_observe(cluster(COMPLETED), PODS, answers, None, NOW))
    later = NOW.replace(year=2027)
    plan = plan_observe(first, PODS, _answers("leader", "follower", ""), None, later)
    times = {c["type"]: c["lastTransitionTime"] for c in status(plan)["conditions"]}
    assert times == {
        "Available": "2026-01-01T00:00:00Z", "QuorumHealthy": "2027-01-01T00:00:00Z",
    }  # fmt: skip


_modes = st.sampled_from(["leader", "follower", "observer", "standalone", ""])
_answer = _modes.map(stats) | st.just("does not answer")


@given(
    st.dictionaries(st.sampled_from([f"zk-{n}" for n in range(5)]), _answer),
    st.lists(st.integers(0, 4), unique=True),
    st.sampled_from(["open", "completed", "adopted"]),
)
def test_what_was_told_once_is_not_told_again(
    answers: dict[str, Answer], running: list[int], state: str
) -> None:
    """Fixpoint: a world that stands still costs no write (C18, G3)."""
    known = cluster({"bootstrap": record(state)})
    pods = tuple(pod(f"zk-{number}") for number in running)
    first = plan_observe(known, pods, answers, None, NOW)
    assert kinds(first)[-1] is WriteStatus
    assert plan_observe(after(known, first), pods, answers, None, NOW.replace(year=2027)) == ()
