"""Which users the servers know, whether everybody has to be one, and what is said of it.

Invariant: nobody is turned away before every server knows the users, and no pod is made that could
not start for want of a usable Secret.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from functions.api.cluster import ZooKeeperCluster
from functions.api.manifest import Manifest
from functions.manifests.login import OPEN, Login, login_of
from functions.planning.seen import SeenPod
from functions.planning.status import Wanted, seen_condition
from functions.planning.users import UnusableUser, User, read_users, users_hash

USERS_KNOWN = "UsersKnown"
UNUSABLE = "UserUnusable"
CHANGING = "Changing"


@dataclass(frozen=True, slots=True)
class SeenUsers:
    """The users' Secrets by name, as far as they exist, and the pods."""

    secrets: Mapping[str, Manifest]
    pods: tuple[SeenPod, ...]


NOTHING = SeenUsers({}, ())


@dataclass(frozen=True, slots=True)
class DecidedLogin:
    """What the pods' template is to say, and the condition UsersKnown (None: there are no users).

    With `refused` nothing may be made: the sentence says why.
    """

    login: Login
    condition: Wanted | None
    refused: str = ""


def is_concerned(cluster: ZooKeeperCluster, stateful_set: Manifest | None) -> bool:
    """Whether users are wanted, or were and are not gone yet."""
    is_said = seen_condition(cluster, USERS_KNOWN) is not None
    return bool(cluster.spec.login.users) or is_said or _template_of(stateful_set) != OPEN


def decide_login(
    cluster: ZooKeeperCluster, stateful_set: Manifest | None, seen: SeenUsers, digest: str
) -> DecidedLogin:
    """Return what the template is to say now; the same for every delivery that sees the same."""
    if not is_concerned(cluster, stateful_set):
        return DecidedLogin(OPEN, None)
    asked = [user.secret_name for user in cluster.spec.login.users]
    try:
        users = read_users({name: _data(seen.secrets.get(name)) for name in asked})
    except UnusableUser as error:
        told = f"{error} Until then everything stays as it is."
        condition = Wanted(USERS_KNOWN, "False", UNUSABLE, told)
        return DecidedLogin(_template_of(stateful_set), condition, told)
    # Who knows no users would take a login for a mistake: first all learn them.
    all_know = all(pod.login.users for pod in seen.pods)
    is_required = cluster.spec.login.required and all_know
    login = Login(users_hash(users, digest) if users else "", is_required)
    return DecidedLogin(login, _condition(cluster, login, users, seen.pods))


def _template_of(stateful_set: Manifest | None) -> Login:
    if stateful_set is None:
        return OPEN
    return login_of(stateful_set["spec"]["template"]["metadata"].get("annotations") or {})


def _data(secret: Manifest | None) -> dict[str, bytes] | None:
    if secret is None:
        return None
    return {key: base64.b64decode(text) for key, text in (secret.get("data") or {}).items()}


def _condition(
    cluster: ZooKeeperCluster, login: Login, users: tuple[User, ...], pods: tuple[SeenPod, ...]
) -> Wanted | None:
    behind = [pod.name for pod in pods if pod.login != login]
    if behind or login.is_required != cluster.spec.login.required:
        waiting = f"; waits for {', '.join(behind)}" if behind else ""
        told = f"The servers are being rolled, one by one{waiting}. In the end: {_said(users)}"
        return Wanted(USERS_KNOWN, "False", CHANGING, told + _others(cluster))
    if not users:
        return None
    return Wanted(USERS_KNOWN, "True", "AsWanted", _said(users) + _others(cluster))


def _said(users: tuple[User, ...]) -> str:
    named = ", ".join(user.name for user in users) or "nobody"
    return f"{named} can log in."


def _others(cluster: ZooKeeperCluster) -> str:
    others = "Nobody else is let in." if cluster.spec.login.required else "Others are let in too."
    return f" {others}"
