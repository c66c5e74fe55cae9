"""What `roll` waits for, in the words that a person reads."""

from __future__ import annotations

import pytest

from functions.planning.ensemble import SeenServers
from functions.planning.rolling import Seen, judge
from functions.planning.seen import SeenPod
from tests.unit.planned import cluster, pod, record, stateful_set, stats

OLD = tuple(pod(f"zk-{n}", revision="old") for n in (1, 2))
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
