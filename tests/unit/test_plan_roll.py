"""What `roll` waits for, in the words that a person reads."""

from __future__ import annotations

from typing import Any

import pytest

from functions.planning.ensemble import SeenServers
from functions.planning.rolling import Seen, judge
from functions.planning.seen import SeenPod
from tests.unit.planned import cluster, pod, record, stateful_set, stats

OLD = tuple(pod(f"zk-{n}", revision="old") for n in (1, 2))
UNTIL_NOW = {"type": "Updated", "status": "False", "reason": "Rolling", "message": ""}
SERVING = SeenServers({2: stats("leader"), 3: stats("follower")}, {}, None)

NEW = [
    pytest.param(
        pod("zk-0", revision="new", is_ready=False),
        ("Rolling", "1 of 3 pods replaced; waits for zk-0 is starting."),
        id="starting",
    ),
    pytest.param(
        pod("zk-0", revision="new", is_ready=False, is_deleting=True),
        ("Rolling", "1 of 3 pods replaced; waits for zk-0 is being stopped."),
        id="stopped-once-more",
    ),
    pytest.param(
        pod("zk-0", revision="new", is_ready=False, trouble="ImagePullBackOff"),
        ("PodNotHealthy", "1 of 3 pods replaced; waits for zk-0 ImagePullBackOff."),
        id="in-trouble",
    ),
]


@pytest.mark.parametrize(("new", "told"), NEW)
def test_a_roll_waits_for_the_pod_it_replaced_and_says_how_that_is(
    new: SeenPod, told: tuple[str, str]
) -> None:
    seen = Seen(stateful_set(update_revision="new"), (new, *OLD), SERVING)
    verdict = judge(cluster({"bootstrap": record("completed")}), seen)
    assert verdict.replace is None
    assert (verdict.condition.reason, verdict.condition.message) == told


ALL_NEW = tuple(pod(f"zk-{n}", revision="new") for n in (1, 2))
END = [
    pytest.param(
        pod("zk-0", revision="new", is_ready=False),
        SERVING,
        ("False", "Rolling", "Every pod is replaced; waits for zk-0 is starting."),
        id="starting",
    ),
    pytest.param(
        pod("zk-0", revision="new", is_ready=False, trouble="CrashLoopBackOff"),
        SERVING,
        ("False", "PodNotHealthy", "Every pod is replaced; waits for zk-0 CrashLoopBackOff."),
        id="in-trouble",
    ),
    pytest.param(
        pod("zk-0", revision="new", is_ready=False),
        SeenServers({**SERVING.stats, 1: stats("")}, {}, None),
        ("False", "Rolling", "Every pod is replaced; waits for zk-0."),
        id="not-in-the-quorum-yet",
    ),
    pytest.param(
        pod("zk-0", revision="new"),
        SeenServers({**SERVING.stats, 1: stats("follower")}, {}, None),
        ("True", "AsWanted", "Every pod is of the newest revision."),
        id="serving",
    ),
]


@pytest.mark.parametrize(("last", "servers", "told"), END)
def test_a_roll_is_over_only_once_the_last_pod_it_replaced_serves(
    last: SeenPod, servers: SeenServers, told: tuple[str, str, str]
) -> None:
    seen = Seen(stateful_set(update_revision="new"), (last, *ALL_NEW), servers)
    rolling = cluster({"bootstrap": record("completed"), "conditions": [UNTIL_NOW]})
    found = judge(rolling, seen).condition
    assert (found.status, found.reason, found.message) == told


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({}, id="no-roll-was-under-way"),
        pytest.param(
            {"conditions": [UNTIL_NOW], "operation": {"type": "Restore", "step": "Stop"}},
            id="a-restore-has-stopped-the-servers",
        ),
    ],
)
def test_a_server_that_is_missing_for_another_reason_is_no_roll(status: dict[str, Any]) -> None:
    lost = pod("zk-0", revision="new", is_ready=False)
    seen = Seen(stateful_set(update_revision="new"), (lost, *ALL_NEW), SERVING)
    found = judge(cluster({"bootstrap": record("completed"), **status}), seen)
    assert found.condition.status == "True"
