"""CloudEvents SQL v1: parses an expression into a function of an event.

Precedence follows the specification's grammar: NOT and minus bind tightest, then LIKE, EXISTS and
IN, then arithmetic, comparison, and last AND, OR and XOR, which are equal and associate right.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from local.eventing.cesql_values import (
    COMPARISONS,
    FUNCTIONS,
    EvaluationError,
    Value,
    arithmetic,
    as_bool,
    as_int,
    as_text,
    compared,
)
from local.eventing.events import Event

__all__ = ["EvaluationError", "Expression", "SyntaxError", "as_bool", "parse"]

Expression = Callable[[Event], Value]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>\d+)"""
    r"""|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign><=|>=|<>|!=|[=<>+\-*/%(),]))"""
)
_NAME = re.compile(r"[a-z][a-z0-9]*|[0-9a-z]+")
_LOGIC = ("AND", "OR", "XOR")
_KEYWORDS = {*_LOGIC, "NOT", "LIKE", "IN", "EXISTS", "TRUE", "FALSE"}


class SyntaxError(Exception):
    """The expression is no CESQL; the text says where."""


def parse(text: str) -> Expression:
    """Return the expression as a function; raises SyntaxError."""
    parser = _Parser(_tokens(text))
    expression = parser.logic()
    if parser.word() or parser.peek:
        raise SyntaxError(f"unexpected {parser.peek!r}")
    return expression


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    rest = text.rstrip()
    while at < len(rest):
        match = _TOKEN.match(rest, at)
        if match is None:
            raise SyntaxError(f"cannot read {rest[at : at + 10]!r}")
        tokens.append(match.group().strip())
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent, one method per level of precedence."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def word(self) -> str:
        """Return the next token as a keyword, or nothing when it is none."""
        upper = self.peek.upper()
        return upper if upper in _KEYWORDS else ""

    def take(self) -> str:
        if not self.peek:
            raise SyntaxError("the expression ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def expect(self, sign: str) -> None:
        if self.take() != sign:
            raise SyntaxError(f"expected {sign!r}")

    def logic(self) -> Expression:
        left = self.comparison()
        if self.word() not in _LOGIC:
            return left
        operator = self.take().upper()
        right = self.logic()
        if operator == "AND":
            return lambda event: as_bool(left(event)) and as_bool(right(event))
        if operator == "OR":
            return lambda event: as_bool(left(event)) or as_bool(right(event))
        return lambda event: as_bool(left(event)) != as_bool(right(event))

    def comparison(self) -> Expression:
        left = self.sum()
        while self.peek in COMPARISONS:
            left = _comparison(self.take(), left, self.sum())
        return left

    def sum(self) -> Expression:
        left = self.product()
        while self.peek in ("+", "-"):
            left = _arithmetic(self.take(), left, self.product())
        return left

    def product(self) -> Expression:
        left = self.membership()
        while self.peek in ("*", "/", "%"):
            left = _arithmetic(self.take(), left, self.membership())
        return left

    def membership(self) -> Expression:
        left = self.unary()
        while (word := self.word()) in ("LIKE", "IN", "NOT"):
            self.take()
            negated = word == "NOT"
            kind = self.take().upper() if negated else word
            if kind not in ("LIKE", "IN"):
                raise SyntaxError("expected LIKE or IN after NOT")
            left = self._like(left) if kind == "LIKE" else self._in(left)
            left = _negation(left) if negated else left
        return left

    def _like(self, left: Expression) -> Expression:
        token = self.take()
        if token[0] not in "'\"":
            raise SyntaxError("LIKE takes a string literal")
        pattern = _pattern(_unquoted(token))
        return lambda event: pattern.fullmatch(as_text(left(event))) is not None

    def _in(self, left: Expression) -> Expression:
        self.expect("(")
        options = self._list()
        return lambda event: any(
            compared("=", value, option(event)) for value in [left(event)] for option in options
        )

    def _list(self) -> list[Expression]:
        items = [self.logic()]
        while self.peek == ",":
            self.take()
            items.append(self.logic())
        self.expect(")")
        return items

    def unary(self) -> Expression:
        if self.word() == "NOT":
            self.take()
            return _negation(self.unary())
        if self.peek == "-":
            self.take()
            inner = self.unary()
            return lambda event: -as_int(inner(event))
        if self.word() == "EXISTS":
            self.take()
            name = _attribute_name(self.take())
            return lambda event: event.get(name) is not None
        return self.atom()

    def atom(self) -> Expression:
        token = self.take()
        if token == "(":
            inner = self.logic()
            self.expect(")")
            return inner
        if token[0] in "'\"" or token.isdigit() or token.upper() in ("TRUE", "FALSE"):
            literal = _literal(token)
            return lambda _event: literal
        if self.peek == "(":
            return self._call(token.upper())
        name = _attribute_name(token)
        return lambda event: _read(event, name)

    def _call(self, name: str) -> Expression:
        self.expect("(")
        arguments = [] if self.peek == ")" else self._list()
        if not arguments:
            self.expect(")")
        function, fewest, most = FUNCTIONS.get(name, (None, 0, 0))
        if function is None:
            raise SyntaxError(f"unknown function {name}; known are {', '.join(FUNCTIONS)}")
        if not fewest <= len(arguments) <= most:
            raise SyntaxError(f"{name} does not take {len(arguments)} arguments")
        known = function
        return lambda event: known(*[argument(event) for argument in arguments])


def _literal(token: str) -> Value:
    if token.isdigit():
        return int(token)
    if token[0] in "'\"":
        return _unquoted(token)
    return token.upper() == "TRUE"


def _unquoted(token: str) -> str:
    return re.sub(rf"\\({token[0]})", r"\1", token[1:-1])


def _attribute_name(token: str) -> str:
    if token.upper() in _KEYWORDS or not _NAME.fullmatch(token):
        raise SyntaxError(f"{token!r} is no attribute name")
    return token


def _read(event: Event, name: str) -> Value:
    value = event.get(name)
    if value is None:
        raise EvaluationError(f"the event has no attribute {name}")
    return value


def _negation(inner: Expression) -> Expression:
    return lambda event: not as_bool(inner(event))


def _comparison(operator: str, left: Expression, right: Expression) -> Expression:
    return lambda event: compared(operator, left(event), right(event))


def _arithmetic(operator: str, left: Expression, right: Expression) -> Expression:
    return lambda event: arithmetic(operator, as_int(left(event)), as_int(right(event)))


def _pattern(like: str) -> re.Pattern[str]:
    parts = re.findall(r"\\[%_]|%|_|[^%_\\]+|\\", like)
    signs = {"%": ".*", "_": ".", r"\%": "%", r"\_": "_"}
    return re.compile("".join(signs.get(part, re.escape(part)) for part in parts), re.DOTALL)
