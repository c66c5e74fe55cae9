"""The users in Secrets: who they are, and whether a server could read them.

A server reads them from a file in the syntax of JAAS, where quotes, line breaks and variables would
say something else than a name or a password. What could is refused, and a quote or a
backslash in a password is escaped.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from functions.manifests.digests import FUNCTIONS_USER, functions_password
from functions.manifests.login import PASSWORD, USERNAME

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PASSWORD = re.compile(r"[ -~]{1,256}")
# ZooKeeper lets the SASL user `super` into whatever any SASL user may.
_RESERVED = ("super", FUNCTIONS_USER)


class UnusableUser(Exception):
    """A Secret does not say who a user is; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class User:
    """One who can log in."""

    name: str
    password: str


def read_users(secrets: Mapping[str, Mapping[str, bytes] | None]) -> tuple[User, ...]:
    """Return the users of some Secrets, each with its data, by their names.

    Raises UnusableUser when one is not there (None), or not what a server could read.
    """
    found: dict[str, tuple[str, User]] = {}
    for secret, data in secrets.items():
        user = _read_user(secret, data)
        if user.name in found:
            other = found[user.name][0]
            raise UnusableUser(f"The Secrets {other} and {secret} both are of {user.name!r}.")
        found[user.name] = (secret, user)
    return tuple(found[name][1] for name in sorted(found))


def _read_user(secret: str, data: Mapping[str, bytes] | None) -> User:
    if data is None:
        raise UnusableUser(
            f"The Secret {secret} is not there: make it (type kubernetes.io/basic-auth), or take "
            "it out of spec.login.users."
        )
    name, password = _text(secret, data, USERNAME), _text(secret, data, PASSWORD)
    if not _NAME.fullmatch(name):
        raise UnusableUser(
            f"username of the Secret {secret} has to be letters, digits, dots, dashes and "
            f"underscores, at most 64 of them.{_hint(name)}"
        )
    if name in _RESERVED:
        raise UnusableUser(f"username of the Secret {secret} is {name}, which is reserved.")
    if not _PASSWORD.fullmatch(password) or "${" in password:
        raise UnusableUser(
            f"password of the Secret {secret} has to be 1 to 256 printable characters of ASCII, "
            f"without '${{'.{_hint(password)}"
        )
    return User(name, password)


def _text(secret: str, data: Mapping[str, bytes], key: str) -> str:
    if not data.get(key):
        raise UnusableUser(f"The Secret {secret} has no {key}.")
    # What is no UTF-8 becomes a character that neither names nor passwords may have.
    return data[key].decode(errors="replace")


def _hint(text: str) -> str:
    return " It ends with a line break: make it with printf, not echo." if text[-1] == "\n" else ""


def users_hash(users: Sequence[User], digest: str) -> str:
    """Return what changes with any user; passwords cannot be guessed from it.

    It stands in the pods' template, which more people may read than the Secrets.
    """
    text = json.dumps([[user.name, user.password] for user in users])
    return hmac.new(digest.encode(), text.encode(), hashlib.sha256).hexdigest()[:16]


def jaas(users: Sequence[User], digest: str) -> str:
    """Return the file that a server reads: the users, and the one that the functions are."""
    known = [*users, User(FUNCTIONS_USER, functions_password(digest))]
    lines = [f"    user_{user.name}={_quoted(user.password)}" for user in known]
    module = "    org.apache.zookeeper.server.auth.DigestLoginModule required"
    return "\n".join(["Server {", module, *lines]) + ";\n};\n"


def _quoted(password: str) -> str:
    escaped = password.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
