"""What the API server does on every write, whoever writes: versions, generations, finalizers."""

from __future__ import annotations

import marshal
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from functions.adapters.memory.fields import MISSING, Object, at, copied
from functions.adapters.memory.ownership import Owners, managed_fields
from functions.adapters.memory.shapes import DEFAULTS, FIXED, WITH_GENERATION
from functions.api.errors import Refused
from functions.api.kinds import SERVICE, Kind, Ref

Clock = Callable[[], datetime]
Admit = Callable[[Object, Object | None], Object]


@dataclass(frozen=True)
class Stored:
    """One object as it is kept, and who owns its fields."""

    object: Object
    owners: Owners
    written: str

    def shown(self) -> Object:
        """Return a copy as the API server would answer it; nobody changes its managedFields."""
        copy: Object = marshal.loads(self._bytes)
        if self._fields:
            copy["metadata"]["managedFields"] = self._fields
        return copy

    @cached_property
    def to_read(self) -> Object:
        """The same, once for all who promise to change nothing in it."""
        return self.shown()

    # Objects are read far more often than written: the answer is put together once.
    @cached_property
    def _bytes(self) -> bytes:
        return marshal.dumps(self.object)

    @cached_property
    def _fields(self) -> list[Object]:
        return managed_fields(self.object["apiVersion"], self.owners, self.written)


def _as_given(item: Object, _: Object | None) -> Object:
    return item


class Store:
    """All objects by address. Every change goes through `write` or `remove`."""

    def __init__(self, now: Clock | None = None, admit: Admit | None = None) -> None:
        self._now = now or (lambda: datetime.now(UTC))
        self._admit = admit or _as_given
        self._objects: dict[Ref, Stored] = {}
        self._version = 0
        self._made = 0

    def get(self, ref: Ref) -> Stored | None:
        return self._objects.get(ref)

    def items(self, kind: Kind | None = None) -> list[tuple[Ref, Stored]]:
        """Return all objects (of `kind`) in the order the API server lists them."""
        found = [item for item in self._objects.items() if kind in (None, item[0].kind)]
        return sorted(found, key=lambda entry: _order(entry[0]))

    def blank(self, ref: Ref, metadata: Mapping[str, Any]) -> tuple[Ref, Object]:
        """Return a new object with nothing in it, under a made-up name where none is given."""
        self._made += 1
        name = ref.name or f"{metadata['generateName']}{self._made:05x}"
        about = {
            "name": name,
            "uid": metadata.get("uid") or str(uuid.UUID(int=self._made)),
            "creationTimestamp": metadata.get("creationTimestamp") or self.time(),
        }
        if ref.kind.namespaced:
            about["namespace"] = ref.namespace
        blank = {"apiVersion": ref.kind.api_version, "kind": ref.kind.name, "metadata": about}
        return Ref(ref.kind, ref.namespace, name), blank

    def write(self, ref: Ref, item: Object, owners: Owners) -> Stored:
        """Keep `item`; an object that nothing changed in keeps its resourceVersion."""
        before = self._objects.get(ref)
        item = self._completed(ref.kind, item, before)
        _check_ports(ref, item)
        if before is not None:
            if item == before.object and dict(owners) == dict(before.owners):
                return before
            _check_change(ref, before.object, item)
        self._version += 1
        item["metadata"]["resourceVersion"] = str(self._version)
        stored = Stored(item, owners, self.time())
        self._objects[ref] = stored
        if before is not None and _is_released(item):
            del self._objects[ref]
        return stored

    def remove(self, ref: Ref) -> None:
        """Delete, or mark as being deleted while finalizers hold the object."""
        stored = self._objects[ref]
        if not stored.object["metadata"].get("finalizers"):
            del self._objects[ref]
        elif "deletionTimestamp" not in stored.object["metadata"]:
            item = copied(stored.object)
            item["metadata"]["deletionTimestamp"] = self.time()
            item["metadata"]["deletionGracePeriodSeconds"] = 0
            self.write(ref, item, stored.owners)

    def snapshot(self) -> dict[Ref, Stored]:
        """Return everything as it is now, for reads that lag behind."""
        return dict(self._objects)

    def time(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _completed(self, kind: Kind, item: Object, before: Stored | None) -> Object:
        item = self._admit(copied(item), copied(before.object) if before else None)
        for path, value in DEFAULTS.get(kind, {}).items():
            if at(item, path) is MISSING:
                item.setdefault(path[0], {})[path[1]] = value
        if kind in WITH_GENERATION:
            item["metadata"]["generation"] = _generation(item, before)
        return item


def _is_released(item: Object) -> bool:
    """Whether a deletion that began waits for nothing any more."""
    metadata = item["metadata"]
    return "deletionTimestamp" in metadata and not metadata.get("finalizers")


def _generation(item: Object, before: Stored | None) -> int:
    if before is None:
        return int(item["metadata"].get("generation", 1))
    old = int(before.object["metadata"].get("generation", 0))
    return old + 1 if _is_new_generation(before.object, item) else old


def _is_new_generation(before: Object, after: Object) -> bool:
    """Whether more than metadata and status changed, or the deletion just began."""
    ignored = ("metadata", "status")
    marks = ("deletionTimestamp" in item["metadata"] for item in (before, after))
    said = (
        {name: value for name, value in item.items() if name not in ignored}
        for item in (before, after)
    )
    return len(set(marks)) == 2 or next(said) != next(said)


def _check_ports(ref: Ref, item: Object) -> None:
    """A Service's ports are keyed by number but named once: an edited number leaves two."""
    ports = item.get("spec", {}).get("ports", []) if ref.kind == SERVICE else []
    names = [port.get("name", "") for port in ports]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise Refused(
                f'Service "{ref.name}" is invalid: spec.ports[{index}].name: Duplicate value: '
                f'"{name}"'
            )


def _check_change(ref: Ref, before: Object, after: Object) -> None:
    for path in FIXED.get(ref.kind, ()):
        if at(before, path) != at(after, path):
            raise Refused(
                f'{ref.kind.name} "{ref.name}" is invalid: {".".join(path)}: field is immutable'
            )
    if "deletionTimestamp" in before["metadata"]:
        added = _finalizers(after) - _finalizers(before)
        if added:
            raise Refused(
                f'{ref.kind.name} "{ref.name}" is invalid: metadata.finalizers: Forbidden: no new '
                f"finalizers can be added if the object is being deleted, found {sorted(added)}"
            )


def _finalizers(item: Object) -> set[str]:
    return set(item["metadata"].get("finalizers") or [])


def _order(ref: Ref) -> tuple[str, str, str, str]:
    return ref.kind.api_version, ref.kind.name, ref.namespace, ref.name
