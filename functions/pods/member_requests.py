"""`POST /add` and `POST /del`: asking for a change of the member list that the spec wants already.

They hurry `scale`, and never go around it: what is asked is compared with the spec, and if it is
still to come an event wakes the planner, which takes it as one of its own safe steps, or waits.
Whoever asks shows the super user's password. The agent knows only its digest, which the server
beside it knows too, so it needs no right of its own and holds nothing that opens anything else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from functions.planning.ensemble import EnsembleConfig, Member
from functions.planning.member_list import OBSERVER, PARTICIPANT, line_of, parse_member
from functions.pods.endpoints import Asked, Declined, Endpoint, Reply

_WANTS_CREDENTIALS = {"WWW-Authenticate": 'Basic realm="zookeeper", charset="UTF-8"'}


@dataclass(frozen=True, slots=True)
class Ensemble:
    """What requests are held against; each part raises Unavailable when it cannot be asked.

    `digest` is `super:BASE64(SHA1("super:<password>"))`, `address` gives the quorum part of a
    server's address by its id, `read_cluster` the ZooKeeperCluster as it is now and `members` the
    committed list. `wake` tells the planner to look.
    """

    digest: str
    address: Callable[[int], str]
    read_cluster: Callable[[], Mapping[str, Any] | None]
    members: Callable[[], EnsembleConfig]
    wake: Callable[[], None]


def member_requests(ensemble: Ensemble) -> dict[str, Mapping[str, Endpoint]]:
    return {
        "/add": {"POST": lambda asked: add(asked, ensemble)},
        "/del": {"POST": lambda asked: remove(asked, ensemble)},
    }


def add(asked: Asked, ensemble: Ensemble) -> Reply:
    """Hurry a join; 200 when it is a member already."""
    member, spec = _asked_for(asked, ensemble)
    role = _wanted_role(member.id, spec)
    if role is None:
        count = _last_id(spec)
        raise Declined(
            HTTPStatus.CONFLICT,
            f"The spec wants the servers 1 to {count}, not server {member.id}: raise "
            "spec.replicas or spec.observers, and it joins by itself.",
        )
    wanted = Member(member.id, ensemble.address(member.id), role)
    if (_quorum_part(member), member.role) != (wanted.address, role):
        raise Declined(
            HTTPStatus.CONFLICT, f"The spec wants this server as {line_of(wanted)}, not otherwise."
        )
    roles = {it.id: it.role for it in ensemble.members().members}
    return _hurry(member, ensemble, is_done=roles.get(member.id) == role)


def remove(asked: Asked, ensemble: Ensemble) -> Reply:
    """Hurry a removal; 200 when it is no member any more."""
    member, spec = _asked_for(asked, ensemble)
    if _wanted_role(member.id, spec) is not None:
        raise Declined(
            HTTPStatus.CONFLICT,
            f"The spec wants server {member.id}: lower spec.replicas or spec.observers, and the "
            "highest ids leave by themselves.",
        )
    ids = {it.id for it in ensemble.members().members}
    return _hurry(member, ensemble, is_done=member.id not in ids)


def _asked_for(asked: Asked, ensemble: Ensemble) -> tuple[Member, Mapping[str, Any]]:
    """Return the member that is asked for, and the spec it is held against."""
    if not is_super_user(asked.authorization, ensemble.digest):
        raise Declined(
            HTTPStatus.UNAUTHORIZED,
            "Say the super user's name and password (the cluster's Secret *-super-user) by HTTP "
            "Basic.",
            _WANTS_CREDENTIALS,
        )
    return _member(asked.body()), _spec(ensemble.read_cluster())


def is_super_user(authorization: str, digest: str) -> bool:
    """Whether a header of HTTP Basic has the password of `digest`; never with an empty digest."""
    # Imported late: few agents are ever asked, and each counts its memory.
    import base64
    import hashlib
    import hmac

    scheme, _, encoded = authorization.partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except ValueError:
        return False
    if scheme.lower() != "basic" or not digest:
        return False
    sha1 = hashlib.sha1(given, usedforsecurity=False).digest()
    told = given.partition(b":")[0] + b":" + base64.b64encode(sha1)
    return hmac.compare_digest(told, digest.encode())


def _member(body: bytes) -> Member:
    try:
        return parse_member(json.loads(body)["record"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Declined(
            HTTPStatus.BAD_REQUEST,
            'Send {"record": "server.<id>=<host>:<quorum port>:<election port>[:<role>];'
            '<client port>"}.',
        ) from error


def _spec(cluster: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return what is wanted now; raises Declined while nothing is changed whatever is asked."""
    if cluster is None or "deletionTimestamp" in cluster["metadata"]:
        raise Declined(HTTPStatus.CONFLICT, "The cluster is being deleted.")
    spec: Mapping[str, Any] = cluster["spec"]
    for field in ("paused", "stopped"):
        if spec.get(field):
            raise Declined(HTTPStatus.CONFLICT, f"spec.{field} is set: no member changes.")
    return spec


def _last_id(spec: Mapping[str, Any]) -> int:
    return int(spec["replicas"]) + int(spec.get("observers", 0))


def _wanted_role(number: int, spec: Mapping[str, Any]) -> str | None:
    """Return what a server is to be, None if it is not wanted: voters have the lowest ids."""
    if not 1 <= number <= _last_id(spec):
        return None
    return PARTICIPANT if number <= int(spec["replicas"]) else OBSERVER


def _quorum_part(member: Member) -> str:
    return member.address.partition(";")[0]


def _hurry(member: Member, ensemble: Ensemble, *, is_done: bool) -> Reply:
    """Wake the planner, unless everything is as asked."""
    content = {"record": line_of(member), "done": is_done}
    if is_done:
        return Reply(content)
    ensemble.wake()
    return Reply(content, HTTPStatus.ACCEPTED)
