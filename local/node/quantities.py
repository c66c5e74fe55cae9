"""Kubernetes quantities ("100m", "1Gi") as exact numbers."""

from __future__ import annotations

import math
import re
from fractions import Fraction

_FORM = re.compile(r"^([+-]?[0-9.]+)([eE][+-]?[0-9]+|[A-Za-z]*)$")
_SUFFIXES = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{letter: Fraction(1000**power) for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", start=1)},
}


def parse_quantity(text: str | int | float) -> Fraction:
    """Return the exact value; raises ValueError for what is no quantity."""
    match = _FORM.match(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a quantity such as 500m, 2 or 1Gi")
    number, suffix = match.groups()
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        return Fraction(f"{number}{suffix}")
    if suffix not in _SUFFIXES:
        raise ValueError(f"{text!r} ends in {suffix!r}, which is no unit of a quantity")
    return Fraction(number) * _SUFFIXES[suffix]


def whole_units(text: str | int, divisor: str | int) -> int:
    """How often `divisor` goes into a quantity, rounded up: what resourceFieldRef asks for."""
    return math.ceil(parse_quantity(text) / (parse_quantity(divisor) or 1))
