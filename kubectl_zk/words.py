"""Times, sizes and tables as a person reads them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

GAP = "  "
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_SIZES = ("B", "kB", "MB", "GB", "TB")


def parse_time(text: str) -> datetime:
    """Return a time as Kubernetes writes it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def since(text: str | None, now: datetime) -> str:
    """Return how long ago that was, or a dash."""
    return lasted(now - parse_time(text)) if text else "-"


def lasted(span: timedelta) -> str:
    """Return a span by its largest unit, and the next one while that is small: 45s, 3m12s, 5d."""
    seconds = max(0, int(span.total_seconds()))
    for place, (size, unit) in enumerate(_UNITS):
        if seconds >= size:
            count, rest = divmod(seconds, size)
            below = _UNITS[place + 1 : place + 2]
            more = next((f"{rest // s}{u}" for s, u in below if rest >= s and count < 10), "")
            return f"{count}{unit}{more}"
    return "0s"


def sized(count: int | None) -> str:
    """Return a number of bytes with its unit, or a dash."""
    if count is None:
        return "-"
    value, place = float(count), 0
    while value >= 1000 and place < len(_SIZES) - 1:
        value, place = value / 1000, place + 1
    return f"{value:.1f} {_SIZES[place]}" if place else f"{count} B"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return aligned columns; the last one is never padded."""
    cells = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    return [
        GAP.join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def wrapped(text: str, width: int, indent: str = "  ") -> list[str]:
    """Return a sentence in lines of at most `width`, every one indented."""
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them."""
    return ", ".join(names) if names else "none"
