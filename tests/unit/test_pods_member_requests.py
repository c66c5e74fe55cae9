"""`/add` and `/del`: only for the super user, only what the spec wants, and only by the planner."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import pytest

from functions.api.cluster import ZooKeeperCluster
from functions.api.errors import Unavailable
from functions.manifests.digests import super_user_digest
from functions.manifests.encryption import PLAIN
from functions.manifests.installation import Installation
from functions.manifests.pod_programs import agent_container
from functions.manifests.server_config import server_line
from functions.planning.ensemble import EnsembleConfig, Member
from functions.planning.member_list import parse_member
from functions.pods.endpoints import Asked, Declined, Endpoint
from functions.pods.member_requests import Ensemble, member_requests
from functions.pods.own_ensemble import own_ensemble

CLUSTER = ZooKeeperCluster.parse(
    {
        "metadata": {"name": "zk", "namespace": "apps", "uid": "u", "generation": 1},
        "spec": {"replicas": 3, "observers": 1},
    }
)
LINES = {ordinal + 1: server_line(CLUSTER, ordinal) for ordinal in range(5)}
OBSERVER_LINE = server_line(CLUSTER, 3, "observer")
MEMBERS = EnsembleConfig(7, tuple(parse_member(LINES[id]) for id in (1, 2)))


def _basic(credentials: str) -> str:
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


SUPER = _basic("super:secret")


@dataclass
class Around:
    """What an agent has around it: each part as a test sets it, and how often it was woken."""

    spec: dict[str, Any] = field(default_factory=lambda: {"replicas": 3, "observers": 1})
    metadata: dict[str, Any] = field(default_factory=dict)
    is_gone: bool = False
    members: EnsembleConfig = MEMBERS
    digest: str = super_user_digest("secret")
    woken: int = 0
    read: int = 0

    def wake(self) -> None:
        self.woken += 1

    def cluster(self) -> Mapping[str, Any] | None:
        self.read += 1
        return None if self.is_gone else {"metadata": self.metadata, "spec": self.spec}

    def endpoint(self, path: str) -> Endpoint:
        env = _environment()
        address = own_ensemble(env).address
        ensemble = Ensemble(self.digest, address, self.cluster, lambda: self.members, self.wake)
        return member_requests(ensemble)[path]["POST"]

    def ask(self, path: str, record: object, authorization: str = SUPER) -> tuple[int, Any]:
        body = json.dumps({"record": record}).encode()
        return self.post(path, body, authorization)

    def post(self, path: str, body: bytes, authorization: str = SUPER) -> tuple[int, Any]:
        try:
            reply = self.endpoint(path)(Asked(authorization, lambda: body))
        except Declined as declined:
            return declined.status, str(declined)
        return reply.status, reply.content


def _environment() -> dict[str, str]:
    """Return the variables that the pod template gives to the agent."""
    container = agent_container(CLUSTER, Installation("image", "http://broker"), PLAIN)
    return {variable["name"]: variable.get("value", "") for variable in container["env"]}


@pytest.fixture
def around() -> Around:
    return Around()


@pytest.mark.parametrize("line", [LINES[3], OBSERVER_LINE], ids=["voter", "observer"])
def test_a_join_that_the_spec_wants_wakes_the_planner(around: Around, line: str) -> None:
    assert around.ask("/add", line) == (HTTPStatus.ACCEPTED, {"record": line, "done": False})
    assert around.woken == 1


def test_a_role_that_is_not_said_is_a_voters_and_a_bare_client_port_is_taken(
    around: Around,
) -> None:
    short = LINES[3].replace(":participant;0.0.0.0:", ";")
    assert around.ask("/add", short)[0] == HTTPStatus.ACCEPTED


def test_a_removal_that_the_spec_wants_wakes_the_planner(around: Around) -> None:
    around.members = EnsembleConfig(7, (*MEMBERS.members, parse_member(LINES[5])))
    assert around.ask("/del", LINES[5]) == (
        HTTPStatus.ACCEPTED,
        {"record": LINES[5], "done": False},
    )
    assert around.woken == 1


@pytest.mark.parametrize(("path", "id"), [("/add", 1), ("/del", 5)])
def test_what_is_so_already_is_done_and_wakes_nobody(around: Around, path: str, id: int) -> None:
    assert around.ask(path, LINES[id]) == (HTTPStatus.OK, {"record": LINES[id], "done": True})
    assert around.woken == 0


def test_a_member_that_is_to_vote_and_does_not_yet_is_not_done(around: Around) -> None:
    waiting = Member(1, parse_member(LINES[1]).address, "observer")
    around.members = EnsembleConfig(7, (waiting,))
    assert around.ask("/add", LINES[1])[0] == HTTPStatus.ACCEPTED


@pytest.mark.parametrize(
    ("path", "record", "sentence"),
    [
        pytest.param("/add", LINES[5], "servers 1 to 4, not server 5", id="one-too-many"),
        pytest.param("/add", LINES[1].replace(".1=", ".0="), "not server 0", id="zero"),
        pytest.param("/add", LINES[3].replace("zk-2.", "evil."), "as server.3=zk-2", id="host"),
        pytest.param("/add", LINES[3].replace(":2888", ":80"), "not otherwise", id="port"),
        pytest.param("/add", LINES[3].replace("participant", "observer"), "not", id="role"),
        pytest.param("/add", LINES[4], "observer", id="observer-as-voter"),
        pytest.param("/del", LINES[2], "wants server 2: lower spec.replicas", id="wanted"),
        pytest.param("/del", OBSERVER_LINE, "wants server 4", id="wanted-observer"),
    ],
)
def test_what_the_spec_does_not_want_is_declined_with_what_to_do(
    around: Around, path: str, record: str, sentence: str
) -> None:
    status, told = around.ask(path, record)
    assert status == HTTPStatus.CONFLICT
    assert sentence in told
    assert around.woken == 0


@pytest.mark.parametrize("path", ["/add", "/del"])
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"spec": {"replicas": 3, "paused": True}}, id="paused"),
        pytest.param({"spec": {"replicas": 3, "stopped": True}}, id="stopped"),
        pytest.param({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, id="deleting"),
        pytest.param({"is_gone": True}, id="gone"),
    ],
)
def test_while_nothing_is_changed_nothing_may_be_asked(path: str, changed: dict[str, Any]) -> None:
    around = Around(**changed)
    assert around.ask(path, LINES[3])[0] == HTTPStatus.CONFLICT
    assert around.woken == 0


@pytest.mark.parametrize("path", ["/add", "/del"])
@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param("", id="none"),
        pytest.param(_basic("super:wrong"), id="wrong-password"),
        pytest.param(_basic("super:"), id="no-password"),
        pytest.param(_basic("admin:secret"), id="another-user"),
        pytest.param(_basic("secret"), id="no-user"),
        pytest.param(SUPER.replace("Basic", "Bearer"), id="another-scheme"),
        pytest.param("Basic ***", id="no-base64"),
        pytest.param("Basic é", id="no-ascii"),
        pytest.param(f"Basic {super_user_digest('secret')}", id="the-digest-itself"),
    ],
)
def test_whoever_is_not_the_super_user_is_not_even_read(
    around: Around, path: str, authorization: str
) -> None:
    def unread() -> bytes:
        raise AssertionError("the body is read")

    with pytest.raises(Declined) as told:
        around.endpoint(path)(Asked(authorization, unread))
    assert told.value.status == HTTPStatus.UNAUTHORIZED
    assert told.value.headers["WWW-Authenticate"].startswith("Basic ")
    assert (around.woken, around.read) == (0, 0)


def test_an_agent_that_was_given_no_digest_lets_nobody_in() -> None:
    around = Around(digest="")
    assert around.ask("/add", LINES[3])[0] == HTTPStatus.UNAUTHORIZED
    assert around.ask("/add", LINES[3], _basic(""))[0] == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{}", b'{"record": 3}', b'{"record": "server.x=a"}', b'{"record": ""}',
     b"\xff", b'{"record": "server.' + b"9" * 3000 + b'=a:1:2;3"}', b"[" * 4000],
    ids=["empty", "list", "null", "no-record", "number", "no-id", "no-line", "binary", "huge-id",
         "deep"],
)  # fmt: skip
def test_a_body_that_names_no_server_is_declined(around: Around, body: bytes) -> None:
    status, told = around.post("/add", body)
    assert status == HTTPStatus.BAD_REQUEST
    assert told.startswith('Send {"record": "server.<id>=<host>')
    assert around.woken == 0


def test_without_a_broker_nobody_can_be_told() -> None:
    with pytest.raises(Unavailable, match="BROKER_URL"):
        own_ensemble({**_environment(), "BROKER_URL": ""}).wake()
