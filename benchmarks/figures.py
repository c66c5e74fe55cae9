"""A figure: what was measured in each round, beside a baseline of the same round."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Samples = Sequence[float]


@dataclass(frozen=True, slots=True)
class Figure:
    """Samples and the baseline's, in the order of the rounds; the baseline has itself as one."""

    title: str
    name: str
    unit: str
    samples: Samples
    baseline: Samples

    @property
    def ratios(self) -> Samples:
        """What was measured over the baseline, each within its round; NaN over a baseline of 0."""
        pairs = zip(self.samples, self.baseline, strict=True)
        return [mine / base if base else math.nan for mine, base in pairs]

    def as_json(self) -> dict[str, object]:
        return {
            "title": self.title,
            "name": self.name,
            "unit": self.unit,
            "samples": list(self.samples),
            # JSON has no NaN.
            "ratios": [None if math.isnan(ratio) else ratio for ratio in self.ratios],
        }


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as text, a heading for each title: median, and in brackets min-max."""
    lines: list[str] = []
    title = ""
    for figure in figures:
        if figure.title != title:
            title = figure.title
            lines += [
                "",
                f"{title}, {figure.unit}",
                _row("", "median (min-max)", "ratio (min-max)"),
            ]
        lines.append(_row(figure.name, _spread(figure.samples), _spread(figure.ratios)))
    return "\n".join(lines[1:])


def _row(name: str, measured: str, ratio: str) -> str:
    return f"  {name:20}{measured:>26}{ratio:>26}"


def _spread(values: Samples) -> str:
    if any(math.isnan(value) for value in values):
        return "-"
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"
