"""Users in Secrets: who they are, when the servers know them, and what is said of it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from functions.api.manifest import Manifest
from functions.manifests.digests import FUNCTIONS_USER, functions_password, super_user_digest
from functions.manifests.login import OPEN, Login
from functions.planning.login import NOTHING, DecidedLogin, SeenUsers, decide_login, is_concerned
from functions.planning.seen import SeenPod
from functions.planning.users import UnusableUser, User, jaas, read_users, users_hash
from tests.unit.planned import cluster, pod

DIGEST = super_user_digest("secret")
ALICE = {"username": b"alice", "password": b"wonder land"}
BOB = {"username": b"bob", "password": b"builder"}
BOTH = (User("alice", "wonder land"), User("bob", "builder"))
KNOWN = Login(users_hash(BOTH, DIGEST))
REQUIRED = Login(users_hash(BOTH, DIGEST), is_required=True)
OLD = Login("an-older-fingerprint")
ASKED = {"login": {"users": [{"secretName": "b"}, {"secretName": "a"}]}}
DEMANDED = {"login": {**ASKED["login"], "required": True}}


def test_users_are_read_by_their_names_whatever_their_secrets_are_called() -> None:
    assert read_users({"z": ALICE, "y": BOB}) == BOTH


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(None, "is not there", id="no-secret"),
        pytest.param({"password": b"x"}, "has no username", id="no-name"),
        pytest.param({"username": b"alice"}, "has no password", id="no-password"),
        pytest.param({"username": b"alice", "password": b""}, "has no password", id="empty"),
        pytest.param({**ALICE, "username": b"alice\n"}, "printf, not echo", id="line-after-name"),
        pytest.param({**ALICE, "password": b"x\n"}, "printf, not echo", id="line-after-password"),
        pytest.param({**ALICE, "username": b'a"; };'}, "letters, digits", id="quote"),
        pytest.param({**ALICE, "username": b"a=b user_c"}, "letters, digits", id="blank"),
        pytest.param({**ALICE, "username": b"alice@REALM"}, "letters, digits", id="realm"),
        pytest.param({**ALICE, "username": b"alice/host"}, "letters, digits", id="host"),
        pytest.param({**ALICE, "username": b"\xff"}, "letters, digits", id="no-text"),
        pytest.param({**ALICE, "username": b"a" * 65}, "letters, digits", id="long-name"),
        pytest.param({**ALICE, "username": b"super"}, "is reserved", id="super"),
        pytest.param(
            {**ALICE, "username": FUNCTIONS_USER.encode()}, "is reserved", id="the-functions"
        ),
        pytest.param({**ALICE, "password": b"a\nuser_b=c"}, "printable", id="line-break"),
        pytest.param({**ALICE, "password": b"a\x00b"}, "printable", id="control-character"),
        pytest.param({**ALICE, "password": "pässword".encode()}, "printable", id="not-ascii"),
        pytest.param({**ALICE, "password": b"a${user.home}"}, "without '${'", id="variable"),
        pytest.param({**ALICE, "password": b"a" * 257}, "printable", id="long-password"),
    ],
)
def test_what_a_server_would_misread_is_refused_with_the_name_of_the_secret(
    data: dict[str, bytes] | None, said: str
) -> None:
    with pytest.raises(UnusableUser, match="Secret alice ") as refused:
        read_users({"alice": data})
    assert said in str(refused.value)


def test_two_secrets_of_one_user_are_refused() -> None:
    with pytest.raises(UnusableUser, match="a and b both are of 'alice'"):
        read_users({"a": ALICE, "b": ALICE})


def test_the_file_has_every_user_and_the_functions_and_nothing_can_break_out_of_it() -> None:
    hostile = User("eve", 'a"; };\\ Client {')
    text = jaas((*BOTH, hostile), DIGEST)
    assert text.splitlines() == [
        "Server {",
        "    org.apache.zookeeper.server.auth.DigestLoginModule required",
        '    user_alice="wonder land"',
        '    user_bob="builder"',
        '    user_eve="a\\"; };\\\\ Client {"',
        f'    user_zookeeper-functions="{functions_password(DIGEST)}";',
        "};",
    ]


def test_the_fingerprint_changes_with_every_part_and_cannot_be_made_without_the_digest() -> None:
    others = [
        users_hash(BOTH[:1], DIGEST),
        users_hash((BOTH[0], User("bob", "other")), DIGEST),
        users_hash((BOTH[0], User("bobb", "uilder")), DIGEST),
        users_hash(BOTH, super_user_digest("another")),
    ]
    assert users_hash(BOTH, DIGEST) not in others
    assert len(set(others)) == len(others)


def _secret(data: dict[str, bytes]) -> Manifest:
    return {"data": {key: base64.b64encode(text).decode() for key, text in data.items()}}


SECRETS = {"a": _secret(ALICE), "b": _secret(BOB)}


def _pods(*logins: Login) -> tuple[SeenPod, ...]:
    return tuple(pod(f"zk-{number}", login=login) for number, login in enumerate(logins))


def _set(login: Login) -> Manifest:
    template = {"metadata": {"annotations": login.annotations()}}
    return {"spec": {"replicas": 3, "template": template}}


def _decide(
    spec: dict[str, Any],
    *pods: Login,
    secrets: dict[str, Manifest] = SECRETS,
    template: Login | None = None,
) -> DecidedLogin:
    found = None if template is None else _set(template)
    return decide_login(cluster(**spec), found, SeenUsers(secrets, _pods(*pods)), DIGEST)


def _said(decided: DecidedLogin) -> tuple[str, str]:
    assert decided.condition is not None
    return decided.condition.status, decided.condition.reason


def test_a_cluster_without_users_says_nothing_of_them() -> None:
    assert decide_login(cluster(), _set(OPEN), NOTHING, DIGEST) == DecidedLogin(OPEN, None)


@pytest.mark.parametrize(
    ("spec", "pods", "login", "said"),
    [
        pytest.param(ASKED, (), KNOWN, "AsWanted", id="a-new-cluster"),
        pytest.param(ASKED, (OPEN, KNOWN), KNOWN, "Changing", id="not-all-know-them"),
        pytest.param(ASKED, (OLD, KNOWN), KNOWN, "Changing", id="another-password"),
        pytest.param(ASKED, (KNOWN, KNOWN), KNOWN, "AsWanted", id="all-know-them"),
        pytest.param(DEMANDED, (), REQUIRED, "AsWanted", id="a-new-cluster-that-demands-it"),
        pytest.param(DEMANDED, (OPEN, KNOWN), KNOWN, "Changing", id="nobody-is-turned-away-yet"),
        pytest.param(DEMANDED, (KNOWN, KNOWN), REQUIRED, "Changing", id="now-they-may"),
        pytest.param(DEMANDED, (REQUIRED, KNOWN), REQUIRED, "Changing", id="not-all-do"),
        pytest.param(DEMANDED, (OLD, REQUIRED), REQUIRED, "Changing", id="it-stays-demanded"),
        pytest.param(DEMANDED, (REQUIRED, REQUIRED), REQUIRED, "AsWanted", id="all-do"),
        pytest.param(ASKED, (REQUIRED, REQUIRED), KNOWN, "Changing", id="no-more-demanded"),
        pytest.param({}, (REQUIRED, KNOWN), OPEN, "Changing", id="no-more-users"),
    ],
)
def test_users_are_known_to_all_servers_before_a_login_is_demanded(
    spec: dict[str, Any], pods: tuple[Login, ...], login: Login, said: str
) -> None:
    decided = _decide(spec, *pods, template=KNOWN)
    assert decided.login == login
    assert _said(decided)[1] == said
    assert decided.refused == ""


def test_the_condition_goes_with_the_last_server_that_knows_users() -> None:
    assert _decide({}, OPEN, OPEN, template=KNOWN) == DecidedLogin(OPEN, None)


def test_the_condition_names_the_users_who_is_let_in_and_who_is_waited_for() -> None:
    done = _decide(ASKED, KNOWN).condition
    assert done is not None
    assert done.message == "alice, bob can log in. Others are let in too."
    on_its_way = _decide(DEMANDED, REQUIRED, KNOWN, template=REQUIRED).condition
    assert on_its_way is not None
    assert on_its_way.message == (
        "The servers are being rolled, one by one; waits for zk-1. In the end: alice, bob can log "
        "in. Nobody else is let in."
    )
    told = _decide(DEMANDED, template=None).condition
    assert told is not None
    assert "waits for" not in told.message
    gone = _decide({}, KNOWN, template=KNOWN).condition
    assert gone is not None
    assert "nobody can log in." in gone.message


@pytest.mark.parametrize(
    "secrets",
    [
        pytest.param({"b": _secret(BOB)}, id="one-is-missing"),
        pytest.param({**SECRETS, "a": {"type": "Opaque"}}, id="one-is-empty"),
    ],
)
@pytest.mark.parametrize("template", [None, OPEN, REQUIRED], ids=["none", "open", "required"])
def test_an_unusable_secret_stops_everything_and_leaves_the_template_as_it_is(
    secrets: dict[str, Manifest], template: Login | None
) -> None:
    decided = _decide(ASKED, secrets=secrets, template=template)
    assert decided.login == (template or OPEN)
    assert _said(decided) == ("False", "UserUnusable")
    assert decided.refused.endswith("Until then everything stays as it is.")


def test_it_concerns_whoever_has_or_had_users() -> None:
    condition = {"type": "UsersKnown", "status": "True"}
    assert is_concerned(cluster(**ASKED), None)
    assert is_concerned(cluster({"conditions": [condition]}), None)
    assert is_concerned(cluster(), _set(OLD))
    assert not is_concerned(cluster(), _set(OPEN))
