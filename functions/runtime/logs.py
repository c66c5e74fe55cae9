"""Logs: one JSON object a line, with the function, the event and the cluster it is about."""

from __future__ import annotations

import contextlib
import contextvars
import json
import logging
import sys
from collections.abc import Iterator

_bound: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar(
    "bound", default=None
)
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


@contextlib.contextmanager
def bound(**fields: str) -> Iterator[None]:
    """Add these fields to every line logged inside."""
    token = _bound.set({**(_bound.get() or {}), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonLines(logging.Formatter):
    """Formats a record with its extra fields as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        extra = {k: v for k, v in record.__dict__.items() if k not in _STANDARD}
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname,
            "message": record.getMessage(),
            **(_bound.get() or {}),
            **extra,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up_logs() -> None:
    """Send the functions' log to the standard output; other libraries' only from warnings on."""
    stream = logging.StreamHandler(sys.stdout)
    stream.setFormatter(JsonLines())
    ours = logging.getLogger("functions")
    if not ours.handlers:
        ours.addHandler(stream)
        ours.setLevel(logging.INFO)
        ours.propagate = False
