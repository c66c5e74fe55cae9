"""What can go wrong for a person, as a sentence that says what to do, and the exit code."""

from __future__ import annotations

import re
import textwrap

from functions.api.errors import FunctionError, MissingRight, Refused, Unavailable
from functions.api.kinds import GROUP

DONE, FAILED, USAGE, NOT_IN_TIME, NOT_ALLOWED, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

_LACKS = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]*)")?'
)
INSTALL = "Install zookeeper-functions there first: its CRDs are what this command works with."


class Problem(Exception):
    """It cannot be done; the message says why and what to do."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


def problem_of(error: FunctionError) -> Problem:
    """Return what an error of the API means to whoever sits at the terminal."""
    if isinstance(error, MissingRight):
        return Problem(_denied(str(error)), NOT_ALLOWED)
    if isinstance(error, Refused) and f"of {GROUP}" in str(error):
        return Problem(f"The API server knows no ZooKeeperCluster. {INSTALL}")
    if isinstance(error, Unavailable):
        return Problem(f"{error}\nLook with `kubectl cluster-info`.", UNREACHABLE)
    return Problem(str(error))


def _denied(told: str) -> str:
    found = _LACKS.search(told)
    if found is None:
        return told
    resource = ".".join(filter(None, (found["resource"], found["group"])))
    where = f" in namespace {found['namespace']}" if found["namespace"] else " in all namespaces"
    return (
        f"You ({found['user']}) may not {found['verb']} {resource}{where}. "
        f"Ask for that right: verb {found['verb']}, resource {resource}."
    )


def may_not(told: str) -> str:
    """Return in a few words which right is missing, or what was told when it is not that."""
    found = _LACKS.search(told)
    if found is not None:
        return f"you may not {found['verb']} {found['resource']}"
    return textwrap.shorten(told, 160, placeholder=" ...")
