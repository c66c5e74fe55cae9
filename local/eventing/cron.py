"""Cron schedules as PingSource takes them: 5 or 6 fields (seconds first) or a descriptor.

The error texts are those of the parser that Knative uses, because its webhook shows them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
DESCRIPTORS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}
SEARCH_YEARS = 5


class BadSchedule(Exception):
    """The schedule cannot be read; the text is the one Knative shows."""


@dataclass(frozen=True, slots=True)
class Field:
    """The values one field lets through; `star` when it was written as `*` or `?`."""

    values: frozenset[int]
    star: bool


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one field may hold, and the names it knows (the first stands for `lowest`)."""

    lowest: int
    highest: int
    names: tuple[str, ...] = ()


BOUNDS = (
    Bounds(0, 59),
    Bounds(0, 59),
    Bounds(0, 23),
    Bounds(1, 31),
    Bounds(1, 12, tuple(MONTHS)),
    Bounds(0, 6, tuple(DAYS)),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to tick: second, minute, hour, day of the month, month, day of the week."""

    fields: tuple[Field, ...]
    zone: ZoneInfo

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the next tick after `moment`, in UTC; None when there is none for years."""
        local = moment.astimezone(self.zone)
        wall = local.replace(tzinfo=None, microsecond=0, fold=0) + timedelta(seconds=1)
        last = wall + timedelta(days=366 * SEARCH_YEARS)
        while wall < last:
            later = self._skipped(wall)
            if later is not None:
                wall = later
                continue
            tick = wall.replace(tzinfo=self.zone).astimezone(UTC)
            # A time that the clocks skip does not exist, and one they repeat ticks once.
            if tick > moment and tick.astimezone(self.zone).replace(tzinfo=None) == wall:
                return tick
            wall += timedelta(seconds=1)
        return None

    def _skipped(self, wall: datetime) -> datetime | None:
        """Return the next time worth looking at when `wall` does not match; None when it does."""
        second, minute, hour, _, month, _ = self.fields
        if wall.month not in month.values:
            following = wall.replace(day=1, hour=0, minute=0, second=0) + timedelta(days=32)
            return following.replace(day=1)
        if not self._is_day(wall):
            return wall.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        if wall.hour not in hour.values:
            return wall.replace(minute=0, second=0) + timedelta(hours=1)
        if wall.minute not in minute.values:
            return wall.replace(second=0) + timedelta(minutes=1)
        if wall.second not in second.values:
            return wall + timedelta(seconds=1)
        return None

    def _is_day(self, wall: datetime) -> bool:
        """Both day fields must match when one of them is a star, else either will do."""
        day, weekday = self.fields[3], self.fields[5]
        matches = (wall.day in day.values, (wall.weekday() + 1) % 7 in weekday.values)
        return all(matches) if day.star or weekday.star else any(matches)


def parse(text: str, zone: str = "") -> Schedule:
    """Read a schedule; raises BadSchedule."""
    if text.startswith(("TZ=", "CRON_TZ=")):
        prefix, _, text = text.partition(" ")
        zone = prefix.partition("=")[2]
    known = _zone(zone)
    return Schedule(_fields(text.strip()), known)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError) as error:
        raise BadSchedule(f"provided bad location {name}: unknown time zone {name}") from error


def _fields(text: str) -> tuple[Field, ...]:
    if not text:
        raise BadSchedule("empty spec string")
    if text.startswith("@"):
        text = _descriptor(text)
    words = text.split()
    if not 5 <= len(words) <= 6:
        shown = " ".join(words)
        raise BadSchedule(f"expected 5 to 6 fields, found {len(words)}: [{shown}]")
    whole = ["0", *words] if len(words) == 5 else words
    return tuple(_field(word, bounds) for word, bounds in zip(whole, BOUNDS, strict=True))


def _descriptor(text: str) -> str:
    if text.startswith("@every "):
        raise BadSchedule("unsupported descriptor @every")
    if text not in DESCRIPTORS:
        raise BadSchedule(f"unrecognized descriptor: {text}")
    return DESCRIPTORS[text]


def _field(word: str, bounds: Bounds) -> Field:
    parts = [_range(part, bounds) for part in word.split(",") if part]
    return Field(
        frozenset().union(*(part.values for part in parts)), any(part.star for part in parts)
    )


def _range(text: str, bounds: Bounds) -> Field:
    span, *steps = text.split("/")
    ends = span.split("-")
    star = ends[0] in ("*", "?")
    if star:
        start, end = bounds.lowest, bounds.highest
    else:
        start = _number(ends[0], bounds)
        end = _number(ends[1], bounds) if len(ends) == 2 else start
    if len(ends) > 2:
        raise BadSchedule(f"too many hyphens: {text}")
    if len(steps) > 1:
        raise BadSchedule(f"too many slashes: {text}")
    step = _whole(steps[0]) if steps else 1
    if steps and len(ends) == 1 and not star:
        end = bounds.highest
    _check(text, (start, end, step), bounds)
    # With a step the field no longer counts as a star: */2 restricts.
    return Field(frozenset(range(start, end + 1, step)), star and step == 1)


def _check(text: str, span: tuple[int, int, int], bounds: Bounds) -> None:
    start, end, step = span
    wrong: list[tuple[bool, Callable[[], str]]] = [
        (
            start < bounds.lowest,
            lambda: f"beginning of range ({start}) below minimum ({bounds.lowest}): {text}",
        ),
        (
            end > bounds.highest,
            lambda: f"end of range ({end}) above maximum ({bounds.highest}): {text}",
        ),
        (start > end, lambda: f"beginning of range ({start}) beyond end of range ({end}): {text}"),
        (step == 0, lambda: f"step of range should be a positive number: {text}"),
    ]
    for is_wrong, message in wrong:
        if is_wrong:
            raise BadSchedule(message())


def _number(text: str, bounds: Bounds) -> int:
    if text.lower() in bounds.names:
        return bounds.names.index(text.lower()) + bounds.lowest
    return _whole(text)


def _whole(text: str) -> int:
    if not text.isdigit():
        raise BadSchedule(
            f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'
        )
    return int(text)
