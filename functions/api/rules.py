"""One rule, said once: the API server checks it as CEL, `parse` checks it in Python.

A rule carries the sentence a person reads when it is broken. Rules about a change (they mention
`oldSelf`) have no Python half: only the API server sees both versions of an object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from functions.api.manifest import Manifest

VALIDATIONS = "x-kubernetes-validations"


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL expression, the sentence for whoever breaks it, and the same test in Python."""

    cel: str
    message: str
    holds: Callable[[Any], bool] | None = None

    def check(self, value: Any) -> None:
        """Raise the rule's sentence when `value` breaks it."""
        if self.holds is not None and not self.holds(value):
            raise ValueError(self.message)

    def validation(self) -> dict[str, Any]:
        """Return the rule as an entry of `x-kubernetes-validations`."""
        return {"rule": self.cel, "message": self.message}

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let pydantic run the rule on a field that is annotated with it."""
        return core_schema.no_info_after_validator_function(self._passed, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the rule to the schema of a field that is annotated with it."""
        return with_rules(handler(schema), (self,))

    def _passed(self, value: Any) -> Any:
        self.check(value)
        return value


def immutable(cel: str, message: str) -> Rule:
    """Return a rule about a change, which only the API server can check."""
    return Rule(cel, message)


def cel_list(words: Iterable[str]) -> str:
    """Return a list of texts as CEL writes it."""
    return "[" + ", ".join(f"'{word}'" for word in words) + "]"


def with_rules(schema: JsonSchemaValue, rules: tuple[Rule, ...]) -> JsonSchemaValue:
    """Return `schema` with the rules appended to those it has."""
    if not rules:
        return schema
    before = schema.get(VALIDATIONS, [])
    return {**schema, VALIDATIONS: [*before, *(rule.validation() for rule in rules)]}


class Spec(BaseModel):
    """What a person writes: unknown fields are refused, values never change after parsing."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        for rule in self.rules:
            rule.check(self)
        return self

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Values never change, so a default is not copied for each object that is read."""
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add to the schema the rules of the whole object and what is said of each field."""
        from functions.api.docstrings import field_docstrings

        reference = handler(schema)
        resolved = handler.resolve_ref_schema(reference)
        resolved.update(with_rules(resolved, cls.rules))
        for name, said in field_docstrings(cls).items():
            if name in cls.model_fields:
                field = cls.model_fields[name]
                resolved["properties"][field.alias or name]["description"] = said
        return reference


class Status(Spec):
    """What the functions write: fields of a newer version are ignored when read."""

    model_config = ConfigDict(extra="ignore")

    def manifest(self) -> Manifest:
        """Return it as it stands in the object; what is not set is left out."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")
