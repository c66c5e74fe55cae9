"""A new password for the super user: who knows which, and what the Secret holds meanwhile."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import pytest

from functions.api.cluster import ZooKeeperCluster
from functions.api.kinds import STATEFUL_SET, Ref
from functions.api.manifest import Manifest
from functions.manifests.access import digest_key, password_hash, passwords, super_user_secret
from functions.manifests.digests import super_user_digest
from functions.manifests.fingerprint import fingerprint
from functions.manifests.pod import SUPER_USER_ANNOTATION
from functions.planning.seen import SeenPod
from functions.planning.steps import Announce, CreateObject, Plan, ReplaceObject
from functions.planning.super_user import plan_super_user, secret_ref
from tests.unit.planned import cluster, pod

FIRST, SECOND = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"
SET = Ref(STATEFUL_SET, "apps", "zk")
PODS = (pod("zk-0", revision="new"), pod("zk-1", revision="new"))


def asking(rotated_at: str | None = None) -> ZooKeeperCluster:
    return cluster(superUser={} if rotated_at is None else {"rotatedAt": rotated_at})


def stateful_set(hash: str, *, observed: int = 4) -> Manifest:
    return {
        "metadata": {"uid": "u", "resourceVersion": "1", "generation": 4},
        "spec": {"template": {"metadata": {"annotations": {SUPER_USER_ANNOTATION: hash}}}},
        "status": {"observedGeneration": observed, "updateRevision": "new"},
    }


def plan(
    of: ZooKeeperCluster,
    secret: Manifest | None,
    pods: tuple[SeenPod, ...] = (),
    found: Manifest | None = None,
    fresh: str = "fresh",
) -> Plan:
    seen = {secret_ref(of): secret} if secret is not None else {}
    return plan_super_user(of, seen | ({SET: found} if found is not None else {}), pods, fresh)


def stored(step: Any) -> Manifest:
    assert isinstance(step, ReplaceObject)
    return step.manifest


def rotated(secret: Manifest, at: str = FIRST, fresh: str = "fresh") -> Manifest:
    _, step = plan(asking(at), secret, fresh=fresh)
    return stored(step)


def digest(of: ZooKeeperCluster, secret: Manifest) -> str:
    """Return what a server of that spec is started with."""
    return base64.b64decode(secret["data"][digest_key(of)]).decode()


OLD = super_user_secret(asking(), "old")


def test_a_missing_secret_is_made_with_what_the_servers_look_for() -> None:
    for of in (asking(), asking(FIRST)):
        (step,) = plan(of, None)
        assert isinstance(step, CreateObject)
        assert digest(of, step.manifest) == super_user_digest("fresh")
        assert plan(of, step.manifest) == (), "it is made once"


def test_a_secret_that_was_made_before_there_were_rotations_stays_as_it_is() -> None:
    """No server restarts for an upgrade of the functions."""
    assert sorted(OLD["data"]) == ["digest", "password", "username"]
    assert password_hash(OLD) == fingerprint(OLD["data"])
    assert plan(asking(), OLD, PODS, stateful_set("another")) == ()


def test_a_new_time_gives_a_new_password_and_keeps_the_one_before() -> None:
    told, step = plan(asking(FIRST), OLD)
    assert isinstance(told, Announce)
    assert told.reason == "PasswordRotated"
    assert passwords(stored(step)) == ["fresh", "old"]
    assert password_hash(stored(step)) != password_hash(OLD)
    before = stateful_set(password_hash(OLD))
    assert plan(asking(FIRST), stored(step), PODS, before) == (), "once for each time"


def test_a_server_with_the_former_template_can_still_start() -> None:
    twice = rotated(rotated(OLD), SECOND, "fresher")
    for of, password in (
        (asking(), "fresher"),
        (asking(FIRST), "fresh"),
        (asking(SECOND), "fresher"),
    ):
        assert digest(of, twice) == super_user_digest(password)
    assert passwords(twice) == ["fresher", "fresh", "old"]


def test_each_rotation_has_a_key_that_was_not_there_before() -> None:
    """A kubelet with an older copy of the Secret must not start a server with what that has."""
    keys = [digest_key(asking(at)) for at in (None, FIRST, SECOND)]
    assert len(set(keys)) == 3
    assert digest_key(asking(SECOND)) not in rotated(OLD)["data"]


def test_a_secret_without_the_key_the_servers_look_for_is_mended() -> None:
    secret = super_user_secret(asking(FIRST), "old")
    data = {k: v for k, v in secret["data"].items() if k != digest_key(asking(FIRST))}
    assert passwords(rotated({**secret, "data": data})) == ["fresh", "old"]


NEW = rotated(OLD)
HASH = password_hash(NEW)


@pytest.mark.parametrize(
    ("pods", "found"),
    [
        pytest.param(PODS, stateful_set(password_hash(OLD)), id="the-template-is-the-old-one"),
        pytest.param(PODS, stateful_set(HASH, observed=3), id="its-revision-is-not-known-yet"),
        pytest.param(
            (*PODS, pod("zk-2", revision="old")), stateful_set(HASH), id="a-pod-is-of-before"
        ),
        pytest.param(PODS, None, id="the-set-is-away-and-its-pods-run"),
    ],
)
def test_former_passwords_stay_while_a_server_may_know_them(
    pods: tuple[SeenPod, ...], found: Manifest | None
) -> None:
    assert plan(asking(FIRST), NEW, pods, found) == ()


@pytest.mark.parametrize(
    ("pods", "found"),
    [
        pytest.param(PODS, stateful_set(HASH), id="every-pod-is-new"),
        pytest.param((), stateful_set(HASH), id="none-runs"),
        pytest.param((), None, id="there-is-not-even-a-set"),
    ],
)
def test_former_passwords_go_once_no_server_knows_them(
    pods: tuple[SeenPod, ...], found: Manifest | None
) -> None:
    theirs = {**NEW, "data": {**NEW["data"], "theirs": "eA=="}}
    (step,) = plan(asking(FIRST), theirs, pods, found and stateful_set(password_hash(theirs)))
    kept = stored(step)
    assert passwords(kept) == ["fresh"]
    assert sorted(kept["data"]) == sorted(
        ["username", "password", "digest", digest_key(asking(FIRST)), "theirs"]
    )
    assert password_hash(kept) == password_hash(theirs), "tidying up rolls nothing"


@pytest.mark.parametrize("times", list(itertools.permutations((FIRST, SECOND))))
def test_at_every_moment_the_secret_has_the_password_of_every_template(
    times: tuple[str, ...],
) -> None:
    secret, known = OLD, [super_user_digest("old")]
    for number, at in enumerate((*times, *times)):
        secret = rotated(secret, at, f"fresh-{number}")
        known.append(digest(asking(at), secret))
        assert set(known) <= {super_user_digest(word) for word in passwords(secret)}
