"""Schedules of PingSource: which are read, which are refused, and when they tick."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from local.eventing.cron import BadSchedule, parse

START = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)  # a Saturday


def ticks(schedule: str, zone: str = "", start: datetime = START, count: int = 2) -> list[str]:
    """Return the next ticks after `start`, as text in UTC."""
    found, moment = [], start
    for _ in range(count):
        tick = parse(schedule, zone).next_after(moment)
        assert tick is not None
        found.append(tick.strftime("%Y-%m-%d %H:%M:%S"))
        moment = tick
    return found


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        pytest.param("*/30 * * * * *", ["2026-11-21 10:00:30", "2026-11-21 10:01:00"], id="six"),
        pytest.param("* * * * *", ["2026-11-21 10:01:00", "2026-11-21 10:02:00"], id="minute"),
        pytest.param("5/20 * * * *", ["2026-11-21 10:05:00", "2026-11-21 10:25:00"], id="from"),
        pytest.param("@hourly", ["2026-11-21 11:00:00", "2026-11-21 12:00:00"], id="hourly"),
        pytest.param("@weekly", ["2026-11-22 00:00:00", "2026-11-29 00:00:00"], id="weekly"),
        pytest.param("0 0 * * MON", ["2026-11-23 00:00:00", "2026-11-30 00:00:00"], id="day-name"),
        pytest.param(
            "0 0 1 jan,feb *", ["2027-01-01 00:00:00", "2027-02-01 00:00:00"], id="months"
        ),
        pytest.param("0 0 31 * *", ["2026-12-31 00:00:00", "2027-01-31 00:00:00"], id="day-31"),
        pytest.param(
            "0 0 23 * 0", ["2026-11-22 00:00:00", "2026-11-23 00:00:00"], id="either-day-field"
        ),
        pytest.param(
            "0 0 */2 * 1", ["2026-11-23 00:00:00", "2026-11-25 00:00:00"], id="a-step-is-no-star"
        ),
        pytest.param("0 0 29 2 *", ["2028-02-29 00:00:00"], id="leap-day"),
    ],
)
def test_a_schedule_ticks_when_it_says(schedule: str, wanted: list[str]) -> None:
    assert ticks(schedule, count=len(wanted)) == wanted


def test_a_time_zone_moves_the_ticks() -> None:
    assert ticks("0 12 * * *", "Europe/Berlin", count=1) == ["2026-11-21 11:00:00"]
    assert ticks("CRON_TZ=Europe/Berlin 0 12 * * *", count=1) == ["2026-11-21 11:00:00"]


def test_a_time_that_the_clocks_skip_does_not_tick_that_day() -> None:
    before = datetime(2027, 3, 27, 12, 0, tzinfo=UTC)
    assert ticks("30 2 * * *", "Europe/Berlin", before, count=1) == ["2027-03-29 00:30:00"]


def test_a_time_that_the_clocks_repeat_ticks_once() -> None:
    before = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
    wanted = ["2026-10-25 00:30:00", "2026-10-26 01:30:00"]
    assert ticks("30 2 * * *", "Europe/Berlin", before) == wanted


def test_a_day_that_never_comes_has_no_tick() -> None:
    assert parse("0 0 30 2 *").next_after(START) is None


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("@every 30s", "unsupported descriptor @every"),
        ("@never", "unrecognized descriptor: @never"),
        ("61 * * * *", "end of range (61) above maximum (59): 61"),
        ("0 0 * * 7", "end of range (7) above maximum (6): 7"),
        ("0 0 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("* * *", "expected 5 to 6 fields, found 3: [* * *]"),
        ("", "empty spec string"),
    ],
)
def test_a_bad_schedule_is_refused_with_knatives_words(schedule: str, message: str) -> None:
    with pytest.raises(BadSchedule) as caught:
        parse(schedule)
    assert str(caught.value) == message
