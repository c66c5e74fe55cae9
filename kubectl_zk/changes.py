"""What a function did to a world, in a person's words: the difference between before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from functions.adapters.memory import Write
from functions.api.kinds import EVENT, Ref
from functions.api.manifest import Manifest
from kubectl_zk.dry import DryKube, Looks

MOST_FIELDS = 6
# What the API server writes itself, or nobody reads.
UNSAID = frozenset({"metadata.resourceVersion", "metadata.managedFields", "metadata.generation"})
_ABSENT = object()


def changes(kube: DryKube, looks: Looks, about: Ref) -> Iterator[str]:
    """Yield one sentence for each object that was written, in the order of the first writes."""
    seen: set[tuple[Ref, str]] = set()
    for write in list(kube.writes):
        if (write.ref, write.subresource) in seen:
            continue
        seen.add((write.ref, write.subresource))
        yield from _change(write, kube, looks, about)


def _change(write: Write, kube: DryKube, looks: Looks, about: Ref) -> Iterator[str]:
    ref = write.ref
    named = f"{ref.kind.name} {ref.name}"
    before, after = looks.get(ref), kube.get(ref)
    if ref.kind == EVENT:
        yield from _told(after)
    elif write.verb == "evict":
        yield f"evict {named}, as far as the disruption budget allows"
    elif after is None:
        yield f"delete {named}"
    elif before is None:
        yield f"create {named}"
    elif write.subresource == "status":
        yield from _status(before, after, "" if ref == about else f"of {named} ")
    elif fields := list(_differences(_said(before), _said(after))):
        yield f"change {named}: {_shortened(fields)}"


def _told(event: Manifest | None) -> Iterator[str]:
    if event is not None:
        yield f"tell {event['type']} {event['reason']}: {event['message']}"


def _status(before: Manifest, after: Manifest, of: str) -> Iterator[str]:
    old, new = before.get("status", {}), after.get("status", {})
    known = {it["type"]: it for it in old.get("conditions", ())}
    for told in new.get("conditions", ()):
        was = known.get(told["type"], {})
        if any(was.get(key) != told.get(key) for key in ("status", "reason", "message")):
            yield f"say {of}{sentence(told)}"
    rest = list(_differences(_without_conditions(old), _without_conditions(new)))
    if rest:
        yield f"note in status {of}{_shortened(rest)}"


def sentence(condition: Manifest) -> str:
    """Return a condition as a sentence."""
    told = condition
    return f"{told['type']} is {told['status']} ({told['reason']}): {told['message']}"


def _without_conditions(status: Manifest) -> Manifest:
    return {key: value for key, value in status.items() if key != "conditions"}


def _said(manifest: Manifest) -> Manifest:
    return {key: value for key, value in manifest.items() if key != "status"}


def _differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield each field that is another one now, with its new value where that is short."""
    if path in UNSAID or before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            below = f"{path}.{key}" if path else str(key)
            yield from _differences(before.get(key, _ABSENT), after.get(key, _ABSENT), below)
        return
    yield _changed(before, after, path)


def _changed(before: Any, after: Any, path: str) -> str:
    if after is _ABSENT:
        return f"no {path} any more"
    if isinstance(after, str | int | bool) and len(str(after)) <= 60:
        was = f" (was {before})" if isinstance(before, str | int | bool) else ""
        return f"{path} = {after}{was if len(was) <= 60 else ''}"
    if isinstance(after, dict) and before is _ABSENT:
        short = ", ".join(f"{key} {value}" for key, value in after.items() if _is_short(value))
        return f"{path} ({short})"
    return path


def _is_short(value: Any) -> bool:
    return isinstance(value, str | int | bool) and len(str(value)) <= 60


def _shortened(fields: list[str]) -> str:
    more = len(fields) - MOST_FIELDS
    shown = ", ".join(fields[:MOST_FIELDS])
    return f"{shown} and {more} more" if more > 0 else shown
