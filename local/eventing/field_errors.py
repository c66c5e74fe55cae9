"""The error texts of Knative's webhooks, word for word."""

from __future__ import annotations


def error(message: str, *paths: str, details: str = "") -> str:
    text = f"{message}: {', '.join(paths)}".rstrip()
    return f"{text}\n{details}" if details else text


def invalid_value(value: object, path: str) -> str:
    return error(f"invalid value: {value}", path)


def missing(*paths: str) -> str:
    return error("missing field(s)", *paths)


def disallowed(*paths: str) -> str:
    return error("must not set the field(s)", *paths)


def invalid_key(name: str, path: str, details: str) -> str:
    return error(f'invalid key name "{name}"', path, details=details)
