"""`spec.login`: users with passwords for clients, from Secrets (SASL, DIGEST-MD5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from functions.api.rules import Rule, Spec, cel_list
from functions.api.tls import SecretName
from functions.api.values import Bool, list_map

# What spec.login tells a server; a cluster without users may say these things itself.
LOGIN_FLAGS = (
    "-Djava.security.auth.login.config", "-Dzookeeper.authProvider.sasl",
    "-Dzookeeper.sessionRequireClientSASLAuth", "-Dzookeeper.enforce.auth.",
    "-Dzookeeper.sasl.serverconfig",
)  # fmt: skip
LOGIN_KEYS = (
    "authProvider.sasl", "sessionRequireClientSASLAuth", "enforce.auth.enabled",
    "enforce.auth.schemes", "sasl.serverconfig",
)  # fmt: skip


class User(Spec):
    """One user, as a Secret of the type kubernetes.io/basic-auth has it."""

    secret_name: SecretName
    """The Secret with the keys username and password, of whatever type."""


def _without_duplicates(users: tuple[User, ...]) -> tuple[User, ...]:
    if len({user.secret_name for user in users}) < len(users):
        raise ValueError("Duplicate value: two users are of the same Secret.")
    return users


class Login(Spec):
    """Who clients can log in as. ACLs name a user as sasl:<username>. A change rolls the
    servers."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!self.required || (has(self.users) && size(self.users) > 0)",
            "spec.login.required lets in nobody but spec.login.users, and there are none: name "
            "their Secrets.",
            lambda it: not it.required or bool(it.users),
        ),
    )

    users: Annotated[
        tuple[User, ...],
        Field(max_length=32, json_schema_extra=list_map("secretName")),
        AfterValidator(_without_duplicates),
    ] = ()
    """The users, each from a Secret of its own, so that a client need read no other's."""
    required: Bool = False
    """Whether clients that do not log in are turned away. It comes into force once every server
    knows the users."""


def _says_it_once(login: Login, flags: Iterable[str], lines: Iterable[str]) -> bool:
    flagged = any(flag.startswith(LOGIN_FLAGS) for flag in flags)
    listed = any(key in LOGIN_KEYS for key in lines)
    return not login.users or not (flagged or listed)


LOGIN_RULES = (
    Rule(
        "!has(self.login) || !has(self.login.users) || size(self.login.users) == 0 || "
        "((!has(self.jvmFlags) || !self.jvmFlags.exists(flag, "
        f"{cel_list(LOGIN_FLAGS)}.exists(own, flag.startsWith(own)))) && "
        "(!has(self.config.additionalConfig) || "
        f"!self.config.additionalConfig.exists(key, key in {cel_list(LOGIN_KEYS)})))",
        "spec.login and spec.jvmFlags or spec.config.additionalConfig both say who can log in: "
        "keep spec.login.",
        lambda it: _says_it_once(it.login, it.jvm_flags, it.config.additional_config),
    ),
)
