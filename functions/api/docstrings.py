"""The texts below the fields of a model, read from its source only when a schema is written.

pydantic can read them itself (`use_attribute_docstrings`), but it does so whenever the class is
made: a quarter of the time that the models cost each start of a function.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise


def field_docstrings(model: type) -> dict[str, str]:
    """Return the text below each field of `model`, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if base.__module__.startswith("functions."):
            found |= _of_class(base)
    return found


def _of_class(model: type) -> dict[str, str]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef)
    return dict(_documented(definition))


def _documented(definition: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in pairwise(definition.body):
        if isinstance(field, ast.AnnAssign) and (said := _text(text)):
            yield ast.unparse(field.target), said


def _text(statement: ast.stmt) -> str:
    value = statement.value if isinstance(statement, ast.Expr) else None
    is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return inspect.cleandoc(ast.literal_eval(value)) if value is not None and is_text else ""
