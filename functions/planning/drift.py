"""Whether an object in the API server still is what its builder wants.

Others may add to an object (labels, annotations, a mesh's fields); what the builder asks for must
be there as asked. A wish that was dropped shows in the fingerprint annotation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.api.kinds import NETWORK_POLICY
from functions.api.values import quantity

# How the API server tells the entries of a list apart, where it merges them.
_KEYS = ("name", "mountPath", "containerPort", "uid", "port", "ip")


def is_as_wanted(wanted: Any, seen: Any) -> bool:
    """Whether everything in `wanted` is in `seen`; more in `seen` is somebody else's.

    But not in a NetworkPolicy, where one port more is open to somebody who was not meant.
    """
    if _is_policy(wanted) and _is_policy(seen) and wanted["spec"] != seen.get("spec"):
        return False
    if wanted == seen or _is_empty(wanted, seen):
        return True
    if isinstance(wanted, dict):
        return isinstance(seen, dict) and all(
            is_as_wanted(value, seen.get(key)) for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return isinstance(seen, list | tuple) and _has_entries(list(wanted), list(seen))
    return _same_quantity(wanted, seen)


def _is_policy(manifest: Any) -> bool:
    return isinstance(manifest, dict) and manifest.get("kind") == NETWORK_POLICY.name


def _has_entries(wanted: list[Any], seen: list[Any]) -> bool:
    key = _key(wanted)
    if key is None:
        return len(wanted) == len(seen) and all(map(is_as_wanted, wanted, seen))
    by_key = {entry.get(key): entry for entry in seen if isinstance(entry, dict)}
    return all(entry[key] in by_key and is_as_wanted(entry, by_key[entry[key]]) for entry in wanted)


def _key(entries: list[Any]) -> str | None:
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        return None
    return next((key for key in _KEYS if _tells_apart(key, entries)), None)


def _tells_apart(key: str, entries: list[Any]) -> bool:
    found = [entry[key] for entry in entries if key in entry]
    return len(found) == len(entries) == len(set(map(str, found)))


def _is_empty(wanted: Any, seen: Any) -> bool:
    """Whether a field wanted empty is not stored: the API server drops empty values, zero too."""
    return seen is None and not wanted


def _same_quantity(wanted: Any, seen: Any) -> bool:
    """Whether two spellings of one amount are the same: the API server stores `1`, not `1000m`."""
    try:
        return (
            isinstance(wanted, str) and isinstance(seen, str) and quantity(wanted) == quantity(seen)
        )
    except ValueError:
        return False


def has_just_our_ports(wanted: Mapping[str, Any], seen: Mapping[str, Any]) -> bool:
    """Whether a Service has the wanted ports and no other; whose number differs is another one."""
    numbers = [{(port["port"], port["protocol"]) for port in _ports(it)} for it in (wanted, seen)]
    return numbers[0] == numbers[1]


def _ports(service: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(service["spec"].get("ports", ()))
