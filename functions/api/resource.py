"""What our three kinds have in common: metadata, and how a manifest becomes a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from pydantic import ConfigDict, ValidationError

from functions.api.errors import InvalidSpec
from functions.api.kinds import Kind
from functions.api.manifest import Manifest
from functions.api.rules import Status
from functions.api.status import Condition
from functions.api.values import NONE_GIVEN

# Nothing that Kubernetes knows is a third of that.
MOST_DEPTH = 64


class Metadata(Status):
    """What the functions need of an object's metadata."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    # As many as Kubernetes allows: they are not ours to bound.
    labels: dict[str, str] = NONE_GIVEN
    annotations: dict[str, str] = NONE_GIVEN
    finalizers: tuple[str, ...] = ()
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class Reported(Protocol):
    """The status of one of our kinds."""

    @property
    def conditions(self) -> tuple[Condition, ...]: ...

    def manifest(self) -> Manifest: ...


class Resource(Protocol):
    """An object of one of our kinds, as far as status and Events are about it."""

    @property
    def kind(self) -> Kind: ...

    @property
    def metadata(self) -> Metadata: ...

    @property
    def status(self) -> Reported: ...


class CustomResource(Status):
    """A manifest of one of our kinds, read with every default in place."""

    metadata: Metadata

    @classmethod
    def parse(cls, manifest: Mapping[str, Any]) -> Self:
        """Read a manifest with every default in place; raises InvalidSpec with a sentence."""
        if _is_deep(manifest.get("spec")):
            raise InvalidSpec(f"spec is nested more than {MOST_DEPTH} levels deep. Nothing is.")
        try:
            return cls.model_validate(_given(manifest), by_alias=True, by_name=False)
        except ValidationError as error:
            raise InvalidSpec(_sentence(error)) from error


class Conditions(Status):
    """The one part of a status that all our kinds share; the others are kept as they are."""

    model_config = ConfigDict(extra="allow")

    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Unread:
    """An object whose spec cannot be followed: enough of it to say so in its status."""

    kind: Kind
    metadata: Metadata
    status: Conditions

    @classmethod
    def of(cls, kind: Kind, manifest: Mapping[str, Any]) -> Unread:
        """Return what is left of a manifest without its spec."""
        metadata = Metadata.model_validate(_without_nulls(manifest["metadata"]))
        return cls(kind, metadata, Conditions.model_validate(manifest.get("status", {})))


def _is_deep(value: Any) -> bool:
    """Whether a value is nested deeper than anything Kubernetes knows.

    What is passed on as it is may be of any depth, and each level takes a call of whoever copies,
    compares or writes it.
    """
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [inner for it in level for inner in _inside(it)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _given(manifest: Mapping[str, Any]) -> Any:
    """Return what is read of a manifest: who wrote which field, half of many, is not looked at."""
    metadata = manifest.get("metadata")
    if isinstance(metadata, dict) and "managedFields" in metadata:
        rest = {key: item for key, item in metadata.items() if key != "managedFields"}
        manifest = {**manifest, "metadata": rest}
    return _without_nulls(manifest)


def _without_nulls(value: Any) -> Any:
    """Drop nulls as the API server does: a field that is null is a field that is not there."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _sentence(error: ValidationError) -> str:
    """Return what is wrong, field by field, in the words of the rules."""
    return " ".join(
        f"{'.'.join(str(part) for part in entry['loc'])}: "
        f"{entry['msg'].removeprefix('Value error, ')}"
        for entry in error.errors(include_url=False)
    )
