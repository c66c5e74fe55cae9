"""When a schedule fires: the five fields of cron as Kubernetes reads them (robfig/cron 3).

Only used to say how old a backup may be: Kubernetes makes the runs and refuses what is no schedule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

_MACROS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}  # fmt: skip
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes, hours, days and months it fires in; a day field that says nothing is empty."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def is_on(self, day: date) -> bool:
        """Whether it fires on a day: with both day fields given, one of them is enough."""
        if day.month not in self.months:
            return False
        is_day, is_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return is_day or is_weekday or not (self.days or self.weekdays)


def parse_schedule(text: str) -> Schedule | None:
    """Return the schedule, or None for what Kubernetes would refuse."""
    fields = _MACROS.get(text, text).split()
    try:
        minutes, hours, days, months, weekdays = fields
        return Schedule(
            minutes=_numbers(minutes, 0, 59),
            hours=_numbers(hours, 0, 23),
            days=_restricted(days, 1, 31, {}),
            months=_numbers(months, 1, 12, _named(_MONTHS, 1)),
            weekdays=_restricted(weekdays, 0, 6, _named(_DAYS, 0)),
        )
    except ValueError:
        return None


def fires_between(schedule: Schedule, after: datetime, until: datetime, zone: tzinfo) -> int:
    """Return how often it fires after `after` and not later than `until`; two is as many as any."""
    count = 0
    for moment in _moments(schedule, after.astimezone(zone), until.astimezone(zone)):
        if after < moment <= until:
            count += 1
            if count == 2:
                break
    return count


def _moments(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    day = after.date()
    while day <= until.date():
        if schedule.is_on(day):
            for hour in sorted(schedule.hours):
                for minute in sorted(schedule.minutes):
                    yield datetime.combine(day, time(hour, minute), after.tzinfo)
        day += timedelta(days=1)


def _named(names: tuple[str, ...], first: int) -> dict[str, int]:
    return {name: number for number, name in enumerate(names, first)}


def _restricted(field: str, low: int, high: int, names: Mapping[str, int]) -> frozenset[int]:
    """Return the numbers of a day field, none where it leaves the choice to the other one."""
    if any(part in ("*", "?", "*/1", "?/1") for part in field.split(",")):
        return frozenset()
    return _numbers(field, low, high, names)


def _numbers(
    field: str, low: int, high: int, names: Mapping[str, int] | None = None
) -> frozenset[int]:
    parts = [_part(part, low, high, names or {}) for part in field.split(",")]
    return frozenset(number for part in parts for number in part)


def _part(part: str, low: int, high: int, names: Mapping[str, int]) -> range:
    """Return the numbers of one `*`, `n`, `n-m`, each with a step behind a slash perhaps."""
    span, has_step, step = part.partition("/")
    first, is_span, last = span.partition("-")
    if span in ("*", "?"):
        start, end = low, high
    else:
        start = _number(first, names)
        end = _number(last, names) if is_span else (high if has_step else start)
    by = int(step) if has_step else 1
    if not low <= start <= end <= high or by < 1:
        raise ValueError(part)
    return range(start, end + 1, by)


def _number(text: str, names: Mapping[str, int]) -> int:
    found = names.get(text.lower())
    return int(text) if found is None else found
