"""What users add to a server: their Secrets, what is made of them, and flags that name it.

A server reads its users once, when it starts (JAAS), so another user or password is another
template. Its fingerprint cannot be guessed from, since the super user's digest goes into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest

USERS_ANNOTATION = "zookeeper.example.com/users"
REQUIRED_ANNOTATION = "zookeeper.example.com/login-required"

# The Secrets as they are, which only the preparation sees, and what it makes of them.
SECRETS_MOUNT = "/user-secrets"
SECRETS_VOLUME = "user-secrets"
LOGIN_MOUNT = "/login"
LOGIN_VOLUME = "login"
JAAS_FILE = f"{LOGIN_MOUNT}/jaas.conf"
USERNAME, PASSWORD = "username", "password"

# kubelet lets the pods' group read them, and nobody else.
_SECRET_MODE = 0o440


@dataclass(frozen=True, slots=True)
class Login:
    """Who can log in to the servers of a template."""

    users: str = ""
    """The fingerprint of all users and their passwords; empty: nobody can."""
    is_required: bool = False
    """Whether everybody has to."""

    def annotations(self) -> dict[str, str]:
        """Return what a pod says of itself; a pod without users says nothing."""
        return {
            **({USERS_ANNOTATION: self.users} if self.users else {}),
            **({REQUIRED_ANNOTATION: "true"} if self.is_required else {}),
        }


OPEN = Login()


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a template says of the Secrets that its servers are started with."""

    super_user: str
    """The fingerprint of the super user's password."""
    login: Login = OPEN


def login_of(annotations: Mapping[str, str]) -> Login:
    """Return what the annotations of a pod, or of a template, say."""
    is_required = annotations.get(REQUIRED_ANNOTATION) == "true"
    return Login(annotations.get(USERS_ANNOTATION, ""), is_required)


def login_flags(login: Login) -> list[str]:
    """Return what a server is told; ACLs of the scheme sasl need the provider."""
    if not login.users:
        return []
    provider = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
    required = ["-Dzookeeper.sessionRequireClientSASLAuth=true"] if login.is_required else []
    return [
        f"-Djava.security.auth.login.config={JAAS_FILE}",
        f"-Dzookeeper.authProvider.sasl={provider}",
        *required,
    ]


def login_volumes(cluster: ZooKeeperCluster, login: Login) -> list[Manifest]:
    """Return the users' Secrets in one volume, and memory for what the server reads."""
    if not login.users:
        return []
    sources = [_source(user.secret_name) for user in cluster.spec.login.users]
    return [
        {
            "name": SECRETS_VOLUME,
            "projected": {"sources": sources, "defaultMode": _SECRET_MODE},
        },
        # A password never touches a disk.
        {"name": LOGIN_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
    ]


def _source(secret: str) -> Manifest:
    items = [{"key": key, "path": f"{secret}/{key}"} for key in (USERNAME, PASSWORD)]
    return {"secret": {"name": secret, "items": items}}


def server_login_mounts(login: Login) -> list[Manifest]:
    """Return what the server sees: what was made of the Secrets, never they themselves."""
    if not login.users:
        return []
    return [{"name": LOGIN_VOLUME, "mountPath": LOGIN_MOUNT, "readOnly": True}]


def prepare_login_mounts(login: Login) -> list[Manifest]:
    if not login.users:
        return []
    return [
        {"name": SECRETS_VOLUME, "mountPath": SECRETS_MOUNT, "readOnly": True},
        {"name": LOGIN_VOLUME, "mountPath": LOGIN_MOUNT},
    ]


def prepare_login_env(login: Login) -> list[Manifest]:
    """Return where the preparation reads and writes, and whom it has to find: there are users."""
    return [
        {"name": "USER_SECRETS", "value": SECRETS_MOUNT},
        {"name": "LOGIN_FILE", "value": JAAS_FILE},
        {"name": "USERS", "value": login.users},
    ]
