"""Who owns which fields of one stored object, and what an apply or an update makes of it. Pure.

The rules are those of server-side apply: an apply takes what it names (a conflict when somebody
else owns it and the value differs), gives up what it named last time and names no more, and what
nobody owns any longer goes away. An update takes whatever it changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from functions.adapters.memory.fields import (
    MISSING,
    Object,
    Path,
    Paths,
    at,
    changed,
    decoded,
    encoded,
    merged,
    owned,
    with_parents,
    without,
)
from functions.api.errors import FieldConflict
from functions.api.kinds import Kind

APPLY = "Apply"
UPDATE = "Update"

_METADATA: Path = ("metadata",)


@dataclass(frozen=True, slots=True)
class Owner:
    """A field manager: the same name under another operation or subresource is another one."""

    name: str
    operation: str
    subresource: str = ""

    @property
    def is_nobody(self) -> bool:
        """Whether this stands for what a test put there without saying who wrote it."""
        return not self.name


Owners = Mapping[Owner, Paths]


def apply(
    kind: Kind, live: Object, owners: Owners, wanted: Object, owner: Owner, *, force: bool
) -> tuple[Object, Owners]:
    """Return the object and its owners after `owner` applied `wanted`; raises FieldConflict."""
    claimed = owned(kind, wanted)
    others = {other: paths for other, paths in owners.items() if other != owner}
    taken = changed(live, wanted, claimed)
    conflicts = {
        other: paths & taken
        for other, paths in others.items()
        if not other.is_nobody and paths & taken
    }
    if conflicts and not force:
        raise _conflict(conflicts)
    for other, paths in conflicts.items():
        others[other] = others[other] - paths
    others = {who: paths - claimed if who.is_nobody else paths for who, paths in others.items()}
    kept = with_parents(claimed.union(*others.values())) | {_METADATA}
    dropped = with_parents(owners.get(owner, frozenset())) - kept
    result = without(merged(kind, live, wanted), dropped)
    left = {
        other: frozenset(path for path in paths if at(result, path) is not MISSING)
        for other, paths in others.items()
    }
    return result, _existing({**left, owner: claimed})


def update(
    kind: Kind, live: Object, owners: Owners, wanted: Object, owner: Owner
) -> tuple[Object, Owners]:
    """Return the object and its owners after `owner` replaced it with `wanted`."""
    named = owned(kind, wanted)
    taken = changed(live, wanted, named)
    left = {other: (paths & named) - taken for other, paths in owners.items()}
    left[owner] = left.get(owner, frozenset()) | taken
    return wanted, _existing(left)


def managed_fields(api_version: str, owners: Owners, time: str) -> list[Object]:
    """Return `metadata.managedFields` for `owners`."""
    return [
        {
            "manager": owner.name,
            "operation": owner.operation,
            "apiVersion": api_version,
            "time": time,
            "fieldsType": "FieldsV1",
            "fieldsV1": encoded(paths),
            **({"subresource": owner.subresource} if owner.subresource else {}),
        }
        for owner, paths in owners.items()
        if not owner.is_nobody
    ]


def owners_of(managed: Iterable[Object]) -> Owners:
    """Return who owns what by `metadata.managedFields` of a real object."""
    return {
        Owner(it["manager"], it["operation"], it.get("subresource", "")): decoded(it["fieldsV1"])
        for it in managed
        if "fieldsV1" in it
    }


def _existing(owners: dict[Owner, Paths]) -> Owners:
    return {owner: paths for owner, paths in owners.items() if paths}


def _conflict(conflicts: Owners) -> FieldConflict:
    count = sum(map(len, conflicts.values()))
    names = frozenset(owner.name for owner in conflicts)
    who = ", ".join(f'"{name}"' for name in sorted(names))
    fields = ", ".join(sorted({_dotted(path) for paths in conflicts.values() for path in paths}))
    return FieldConflict(
        f"Apply failed with {count} conflict{'s' if count > 1 else ''}: conflicts with {who}: "
        f"{fields}",
        names,
    )


def _dotted(path: Path) -> str:
    return "".join(f".{part}" if isinstance(part, str) else f"[{part}]" for part in path)
