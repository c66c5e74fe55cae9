"""Values of CloudEvents SQL: strings, 32-bit integers and booleans, their casts and functions."""

from __future__ import annotations

import operator
from collections.abc import Callable

Value = str | int | bool

LARGEST = 2**31 - 1
SMALLEST = -(2**31)


class EvaluationError(Exception):
    """The expression has no value for this event."""


def as_bool(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value != 0
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise EvaluationError(f"{value!r} is no boolean")


def as_int(value: Value) -> int:
    if isinstance(value, int):
        return int(value)
    try:
        return _bounded(int(value))
    except ValueError as error:
        raise EvaluationError(f"{value!r} is no integer") from error


def as_text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def compared(sign: str, left: Value, right: Value) -> bool:
    """Compare after casting the left value to the type of the right one where they differ."""
    if sign in ("=", "!=", "<>"):
        equal = _cast_like(left, right) == right
        return equal == (sign == "=")
    return COMPARISONS[sign](as_int(left), as_int(right))


COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def arithmetic(sign: str, left: int, right: int) -> int:
    """Calculate as Go does: division goes towards zero, and its rest has the left side's sign."""
    if sign in ("/", "%"):
        if right == 0:
            raise EvaluationError("division by zero")
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return quotient if sign == "/" else left - quotient * right
    signs = {"+": operator.add, "-": operator.sub, "*": operator.mul}
    result: int = signs[sign](left, right)
    return _bounded(result)


def _bounded(value: int) -> int:
    if not SMALLEST <= value <= LARGEST:
        raise EvaluationError(f"{value} does not fit into 32 bits")
    return value


def _cast_like(value: Value, example: Value) -> Value:
    if isinstance(example, bool):
        return as_bool(value)
    if isinstance(example, int):
        return as_int(value)
    return as_text(value)


def _substring(text: Value, start: Value, length: Value = LARGEST) -> str:
    whole, begin = as_text(text), as_int(start)
    if abs(begin) > len(whole) or as_int(length) < 0:
        raise EvaluationError("SUBSTRING: the position is outside the string")
    if begin == 0:
        return ""
    first = begin - 1 if begin > 0 else len(whole) + begin
    return whole[first : first + as_int(length)]


def _left(text: Value, length: Value) -> str:
    return as_text(text)[: _length(length)]


def _right(text: Value, length: Value) -> str:
    whole = as_text(text)
    return whole[max(0, len(whole) - _length(length)) :]


def _length(value: Value) -> int:
    if as_int(value) < 0:
        raise EvaluationError("a length is not negative")
    return as_int(value)


def _is_int(value: Value) -> bool:
    try:
        return isinstance(value, bool) is False and as_int(value) is not None
    except EvaluationError:
        return False


def _is_bool(value: Value) -> bool:
    return isinstance(value, bool) or as_text(value).lower() in ("true", "false")


def _concat_ws(separator: Value, *texts: Value) -> str:
    return as_text(separator).join(as_text(text) for text in texts)


# Name: the function, the fewest and the most arguments it takes.
FUNCTIONS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "LENGTH": (lambda text: len(as_text(text)), 1, 1),
    "CONCAT": (lambda *texts: "".join(map(as_text, texts)), 0, LARGEST),
    "CONCAT_WS": (_concat_ws, 1, LARGEST),
    "LOWER": (lambda text: as_text(text).lower(), 1, 1),
    "UPPER": (lambda text: as_text(text).upper(), 1, 1),
    "TRIM": (lambda text: as_text(text).strip(), 1, 1),
    "LEFT": (_left, 2, 2),
    "RIGHT": (_right, 2, 2),
    "SUBSTRING": (_substring, 2, 3),
    "ABS": (lambda number: abs(as_int(number)), 1, 1),
    "INT": (as_int, 1, 1),
    "BOOL": (as_bool, 1, 1),
    "STRING": (as_text, 1, 1),
    "IS_INT": (_is_int, 1, 1),
    "IS_BOOL": (_is_bool, 1, 1),
}
