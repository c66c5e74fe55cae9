"""The file of a server's users, from Secrets as kubelet mounts them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.planning.users import User, jaas, users_hash
from functions.pods.login import write_users

ALICE, BOB = User("alice", "wonder"), User("bob", "builder")
DIGEST = "super:abc="


def _mount(secrets: Path, version: str, *users: User) -> None:
    """Bring Secrets in as kubelet does: all files of a version behind one link."""
    for user in users:
        folder = secrets / version / f"secret-of-{user.name}"
        folder.mkdir(parents=True)
        (folder / "username").write_text(user.name)
        (folder / "password").write_text(user.password)
    (secrets / "..new").symlink_to(version)
    (secrets / "..new").rename(secrets / "..data")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "secrets").mkdir()
    return {
        "USER_SECRETS": str(tmp_path / "secrets"),
        "LOGIN_FILE": str(tmp_path / "jaas.conf"),
        "SUPER_DIGEST": DIGEST,
        "USERS": users_hash((ALICE, BOB), DIGEST),
    }


def _secrets(environment: dict[str, str]) -> Path:
    return Path(environment["USER_SECRETS"])


def _written(environment: dict[str, str]) -> str:
    return Path(environment["LOGIN_FILE"]).read_text()


def test_a_cluster_without_users_needs_no_file() -> None:
    assert write_users({}, ())


def test_the_file_is_the_servers_alone_and_no_password_is_logged(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    _mount(_secrets(environment), "1", ALICE, BOB)
    assert write_users(environment, ())
    assert _written(environment) == jaas((ALICE, BOB), DIGEST)
    assert Path(environment["LOGIN_FILE"]).stat().st_mode & 0o777 == 0o600
    assert "alice, bob can log in" in caplog.text
    assert not any(secret in caplog.text for secret in ("wonder", "builder", DIGEST))


def test_the_users_that_the_pod_was_made_for_are_waited_for(environment: dict[str, str]) -> None:
    secrets = _secrets(environment)
    _mount(secrets, "1", ALICE, User("bob", "former"))

    def moments() -> Iterator[None]:
        yield
        assert not Path(environment["LOGIN_FILE"]).exists()
        _mount(secrets, "2", ALICE, BOB)
        yield
        yield
        raise AssertionError("it was there before")

    assert write_users(environment, moments())
    assert _written(environment) == jaas((ALICE, BOB), DIGEST)


def test_who_is_there_is_taken_when_nobody_else_comes(environment: dict[str, str]) -> None:
    """A server that stays down for a Secret that was changed since would help nobody."""
    _mount(_secrets(environment), "1", ALICE)
    assert write_users(environment, [None])
    assert _written(environment) == jaas((ALICE,), DIGEST)


def test_a_server_does_not_start_with_a_secret_that_it_would_misread(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert not write_users(environment, ())
    _mount(_secrets(environment), "1", User("bob", "a\n};"))
    assert not write_users(environment, [None])
    assert "password of the Secret secret-of-bob" in caplog.text
    assert not Path(environment["LOGIN_FILE"]).exists()
