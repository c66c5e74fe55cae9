"""ISO 8601 durations as Knative's `delivery` takes them: `PT0.5S`, `PT1M30S`, `P1D`."""

from __future__ import annotations

import re

_FORM = re.compile(
    r"P(?:(?P<weeks>\d+(?:\.\d+)?)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?"
    r"(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_SECONDS = {"weeks": 604800.0, "days": 86400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}


def seconds_of(text: str) -> float:
    """Return the seconds of a duration; raises ValueError for anything that is none."""
    match = _FORM.fullmatch(text)
    if match is None or text.endswith(("P", "T")):
        raise ValueError(f"{text} is no ISO 8601 duration; write it like PT0.5S")
    return sum(float(value) * _SECONDS[unit] for unit, value in match.groupdict("0").items())
