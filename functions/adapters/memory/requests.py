"""What of a manifest a request may write, and whether its preconditions hold. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from functions.adapters.memory.fields import SYSTEM_METADATA, Object
from functions.adapters.memory.shapes import WITH_STATUS
from functions.api.errors import Conflict, Refused
from functions.api.kinds import Kind, Ref
from functions.api.manifest import Manifest

MAIN = ""
STATUS = "status"


def as_json(ref: Ref, manifest: Manifest) -> Object:
    """Return a copy of `manifest`; raises Refused for values that JSON has no word for."""
    copy: Object = json.loads(json.dumps(manifest))
    if copy != manifest:
        raise Refused(f"{ref} holds values that are no JSON, such as a tuple; use lists.")
    return copy


def requested(ref: Ref, manifest: Manifest, subresource: str) -> Object:
    """Return what a write of `manifest` to `subresource` can change."""
    if subresource not in (MAIN, STATUS) or (subresource and ref.kind not in WITH_STATUS):
        raise Refused(f"{ref.kind.plural} have no subresource {subresource}")
    item = part(ref.kind, as_json(ref, manifest), subresource)
    return {**item, "metadata": free_metadata(item["metadata"])}


def part(kind: Kind, item: Object, subresource: str) -> Object:
    """Return the half of `item` that `subresource` writes: its status, or all else."""
    if subresource == STATUS:
        return {"metadata": {}, STATUS: item[STATUS]} if STATUS in item else {"metadata": {}}
    if kind not in WITH_STATUS:
        return item
    return {name: value for name, value in item.items() if name != STATUS}


def merged(item: Object, change: Mapping[str, Any]) -> Object:
    """Return `item` with a JSON merge patch in it: null takes a field away."""
    result = {name: value for name, value in item.items() if change.get(name, value) is not None}
    for name, value in change.items():
        if isinstance(value, Mapping):
            below = result.get(name)
            result[name] = merged(below if isinstance(below, dict) else {}, value)
        elif value is not None:
            result[name] = value
    return result


def joined(main: Object, status: Object) -> Object:
    """Return the whole object of two halves."""
    return {**main, STATUS: status[STATUS]} if STATUS in status else main


def free_metadata(metadata: Mapping[str, Any]) -> Object:
    """Return the metadata that a writer may choose."""
    return {name: value for name, value in metadata.items() if name not in SYSTEM_METADATA}


def system_metadata(metadata: Mapping[str, Any]) -> Object:
    """Return the metadata that the API server chooses."""
    return {name: value for name, value in metadata.items() if name in SYSTEM_METADATA}


def check_preconditions(ref: Ref, metadata: Mapping[str, Any], live: Object | None) -> None:
    """Raise Conflict when `metadata` names another uid or resourceVersion than `live` has."""
    found = live["metadata"] if live else {}
    check_uid(ref, metadata.get("uid"), found.get("uid", ""))
    version = metadata.get("resourceVersion")
    if version is not None and version != found.get("resourceVersion"):
        raise Conflict(
            f'Operation cannot be fulfilled on {ref.kind.plural} "{ref.name}": the object has '
            "been modified; please apply your changes to the latest version and try again"
        )


def check_uid(ref: Ref, wanted: str | None, found: str) -> None:
    """Raise Conflict unless `wanted` is `found` (or nothing in particular is wanted)."""
    if wanted is not None and wanted != found:
        raise Conflict(
            f'Operation cannot be fulfilled on {ref.kind.plural} "{ref.name}": Precondition '
            f"failed: UID in precondition: {wanted}, UID in object meta: {found}"
        )
