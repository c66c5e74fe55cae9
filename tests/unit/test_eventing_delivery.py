"""Retries, waits and which delivery holds for a Trigger."""

from __future__ import annotations

from typing import Any

import pytest

from local.eventing.delivery import Retries, effective_delivery, is_retried, retries_of
from local.eventing.durations import seconds_of

SINK = {"uri": "http://x.example/"}
OTHER_SINK = {"uri": "http://y.example/"}


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        pytest.param("exponential", [0.2, 0.4, 0.8], id="exponential"),
        pytest.param("linear", [0.0, 0.2, 0.4], id="linear-starts-at-nothing"),
        pytest.param("", [0.0, 0.0, 0.0], id="no-policy-no-wait"),
    ],
)
def test_waits_grow_as_the_policy_says(policy: str, waits: list[float]) -> None:
    retries = Retries(count=3, policy=policy, delay=0.2)
    assert [retries.wait_before(retry) for retry in range(3)] == pytest.approx(waits)


@pytest.mark.parametrize("status", [0, 404, 408, 409, 429, 500, 502, 503, 504])
def test_these_answers_are_tried_again(status: int) -> None:
    assert is_retried(status)


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 410, 413, 422])
def test_these_answers_are_final(status: int) -> None:
    assert not is_retried(status)


def test_the_settings_are_read_in_seconds() -> None:
    spec = {"retry": 5, "backoffPolicy": "linear", "backoffDelay": "PT0.5S", "timeout": "PT1M"}
    assert retries_of(spec) == Retries(5, "linear", 0.5, 60.0)
    assert retries_of({}) == Retries()


@pytest.mark.parametrize(
    ("broker", "trigger", "wanted"),
    [
        pytest.param({"retry": 5}, None, {"retry": 5}, id="the-brokers-holds"),
        pytest.param({"retry": 5, "timeout": "PT1S"}, {"retry": 2}, {"retry": 2}, id="as-a-block"),
        pytest.param(
            {"retry": 5, "deadLetterSink": SINK},
            {"retry": 2},
            {"retry": 2, "deadLetterSink": SINK},
            id="only-the-sink-falls-back",
        ),
        pytest.param(
            {"retry": 5},
            {"deadLetterSink": OTHER_SINK},
            {"deadLetterSink": OTHER_SINK},
            id="a-sink-alone-means-no-retries",
        ),
        pytest.param(
            {"deadLetterSink": SINK},
            {"deadLetterSink": OTHER_SINK},
            {"deadLetterSink": OTHER_SINK},
            id="the-own-sink-wins",
        ),
    ],
)
def test_the_delivery_that_holds(
    broker: dict[str, Any], trigger: dict[str, Any] | None, wanted: dict[str, Any]
) -> None:
    assert effective_delivery(broker, trigger) == wanted


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT0.5S", 0.5), ("PT1M30S", 90.0), ("P1DT1H", 90000.0), ("P1W", 604800.0)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["5s", "PT", "P", "", "PT5", "-PT5S"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        seconds_of(text)
