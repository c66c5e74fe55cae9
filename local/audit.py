"""Who asked the API server for what: counts of reads and writes per caller, from its audit log.

`python -m local audit` prints them. That an idle system writes nothing is seen there.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

READS = frozenset({"get", "list", "watch"})
# A review asks a question; it is created, but changes nothing.
QUESTIONS = frozenset({"authorization.k8s.io", "authentication.k8s.io"})
DECISION = "authorization.k8s.io/decision"
SERVICE_ACCOUNT = "system:serviceaccount:"
RECEIVED = '"requestReceivedTimestamp":"'
SECOND = "2026-01-31T12:00:00"
UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


class BadMoment(ValueError):
    """A text that names no moment."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request that the API server answered."""

    user: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    # By the roles; what admission refuses, for example in a namespace that is going, is not it.
    is_denied: bool
    at: datetime

    @property
    def is_write(self) -> bool:
        return self.verb not in READS and self.group not in QUESTIONS

    def __str__(self) -> str:
        resource = "/".join(part for part in (self.resource, self.subresource) if part)
        about = "/".join(part for part in (self.namespace, self.name) if part)
        when = self.at.strftime("%H:%M:%S.%f")[:-3]
        return f"{when} {self.user} {self.verb} {resource} {about} -> {self.code}"


@dataclass(frozen=True, slots=True)
class Count:
    """How many calls of one caller read and how many wrote; denied ones are among them."""

    user: str
    reads: int
    writes: int
    denied: int


def calls(logs: Path, since: datetime | None = None) -> list[Call]:
    """Return the calls in the audit log of a logs folder, the oldest first.

    The log is cut into several files when it grows; what was cut off long ago is gone.
    """
    start = since or datetime.min.replace(tzinfo=UTC)
    second = start.astimezone(UTC).isoformat(timespec="seconds")[: len(SECOND)]
    lines = (line for path in _files(logs) for line in _lines(path, second))
    found = (call for line in lines if (call := _call(line)) is not None)
    return sorted((call for call in found if call.at >= start), key=lambda call: call.at)


def counts(found: Iterable[Call], callers: Collection[str] | None = None) -> list[Count]:
    """Return one count per caller, in the order of their names; `callers` are always in it."""
    reads, writes, denied = Counter[str](), Counter[str](), Counter[str]()
    for call in found:
        (writes if call.is_write else reads)[call.user] += 1
        denied[call.user] += call.is_denied
    users = sorted({*reads, *writes, *(callers or ())})
    return [Count(user, reads[user], writes[user], denied[user]) for user in users]


def table(found: Collection[Count]) -> str:
    """Return the counts as a person reads them."""
    shown = [(short(count.user), count) for count in found]
    width = max([len("CALLER"), *(len(name) for name, _ in shown)]) + 2
    lines = [f"{'CALLER':{width}}{'READS':>8}{'WRITES':>8}{'DENIED':>8}"]
    lines += [f"{name:{width}}{c.reads:8}{c.writes:8}{c.denied:8}" for name, c in shown]
    return "\n".join(lines)


def short(user: str) -> str:
    """Return namespace/name for a ServiceAccount, and every other name as it is."""
    return user.removeprefix(SERVICE_ACCOUNT).replace(":", "/") if _is_account(user) else user


def moment(text: str, now: datetime) -> datetime:
    """Read 90s, 10m or 2h as so long ago, or a time as RFC 3339 writes it."""
    if ago := re.fullmatch(r"(\d+)([smh])", text):
        return now - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadMoment(
            f"{text!r} is no time: write 90s, 10m, 2h or 2026-01-31T12:00:00Z"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _is_account(user: str) -> bool:
    return user.startswith(SERVICE_ACCOUNT)


def _files(logs: Path) -> list[Path]:
    return sorted(logs.glob("audit-*.log")) + [
        path for path in [logs / "audit.log"] if path.exists()
    ]


def _lines(path: Path, second: str) -> Iterator[str]:
    """Return the lines of that second or later; decoding all of a long log would take seconds."""
    with path.open() as lines:
        for line in lines:
            at = line.rfind(RECEIVED) + len(RECEIVED)
            if line[at : at + len(SECOND)] >= second:
                yield line


def _call(line: str) -> Call | None:
    """Return the call of one line; None for one half written, and for the end of a watch."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    is_watch = entry["verb"] == "watch"
    if is_watch and entry["stage"] == "ResponseComplete" and _code(entry) < 400:
        return None
    subject = entry.get("objectRef", {})
    return Call(
        user=entry["user"].get("username", ""),
        verb=entry["verb"],
        group=subject.get("apiGroup", ""),
        resource=subject.get("resource", entry.get("requestURI", "")),
        subresource=subject.get("subresource", ""),
        namespace=subject.get("namespace", ""),
        name=subject.get("name", ""),
        code=_code(entry),
        is_denied=entry.get("annotations", {}).get(DECISION) == "forbid",
        at=datetime.fromisoformat(entry["requestReceivedTimestamp"]),
    )


def _code(entry: dict[str, Any]) -> int:
    return int(entry.get("responseStatus", {}).get("code", 0))
