"""The text that Prometheus reads: families of samples in, lines out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass(frozen=True, slots=True)
class Sample:
    """One number; `suffix` tells the parts of a histogram apart."""

    value: float
    labels: Mapping[str, str]
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one name, and what they are."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    samples: tuple[Sample, ...]


def gauge(name: str, help: str, *samples: tuple[float, Mapping[str, str]]) -> Family:
    return Family(name, "gauge", help, tuple(Sample(value, labels) for value, labels in samples))


def exposition(families: Iterable[Family]) -> str:
    """Return the text of all families that have samples."""
    return "".join(_family(family) for family in families if family.samples)


def _family(family: Family) -> str:
    head = f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.type}\n"
    return head + "".join(f"{family.name}{_sample(sample)}\n" for sample in family.samples)


def _sample(sample: Sample) -> str:
    labels = ",".join(
        f'{key}="{value.translate(_ESCAPED)}"' for key, value in sample.labels.items()
    )
    shown = f"{{{labels}}}" if labels else ""
    return f"{sample.suffix}{shown} {_number(sample.value)}"


def _number(value: float) -> str:
    """Return a number with all of its digits: times in seconds have ten before the dot."""
    return str(int(value)) if value == int(value) else repr(float(value))
