"""The files of volumes, and swapping them so that a reader never sees half of a change."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.node.cluster import Token
from local.node.errors import CannotMount
from local.node.payload import File, Files, TokenShelf, references, volume_files
from local.node.volumes import write_atomically

POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "demo", "uid": "u", "labels": {"app": "zk"}},
    "spec": {"containers": [{"name": "c", "resources": {"limits": {"memory": "64Mi"}}}]},
}


class Objects:
    """A source that counts the tokens it gives out; each lives `seconds`."""

    def __init__(self, seconds: float = 3600) -> None:
        self.tokens = 0
        self._seconds = seconds

    async def config_map(self, _namespace: str, name: str) -> dict[str, Any] | None:
        return {"data": {"a": "1", "b": "2"}} if name == "cm" else None

    async def secret(self, _namespace: str, name: str) -> dict[str, Any] | None:
        return {"data": {"key": base64.b64encode(b"\x00\xff").decode()}} if name == "s" else None

    async def token(self, _pod: dict[str, Any], audience: str | None, _seconds: int) -> Token:
        self.tokens += 1
        expires = datetime.now(UTC) + timedelta(seconds=self._seconds)
        return Token(f"token-{audience}-{self.tokens}", expires)


def files(volume: dict[str, Any]) -> Files:
    return asyncio.run(volume_files(POD, volume, Objects(), TokenShelf()))


def test_a_config_map_is_one_file_per_key() -> None:
    volume = {"name": "v", "configMap": {"name": "cm", "defaultMode": 0o400}}
    assert files(volume) == {"a": File(b"1", 0o400), "b": File(b"2", 0o400)}


def test_items_choose_paths_and_modes() -> None:
    items = [{"key": "a", "path": "deep/er", "mode": 0o755}]
    volume = {"name": "v", "configMap": {"name": "cm", "items": items}}
    assert files(volume) == {"deep/er": File(b"1", 0o755)}


def test_a_secret_is_decoded() -> None:
    assert files({"name": "v", "secret": {"secretName": "s"}}) == {"key": File(b"\x00\xff")}


def test_the_downward_api_becomes_files() -> None:
    items = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {
            "path": "limit",
            "resourceFieldRef": {"containerName": "c", "resource": "limits.memory"},
        },
    ]
    assert files({"name": "v", "downwardAPI": {"items": items}}) == {
        "labels": File(b'app="zk"'),
        "limit": File(b"67108864"),
    }


def test_a_projected_volume_puts_all_together() -> None:
    sources = [
        {"serviceAccountToken": {"path": "token", "audience": "x"}},
        {"configMap": {"name": "cm", "items": [{"key": "a", "path": "ca.crt"}]}},
        {"secret": {"name": "absent", "optional": True}},
    ]
    found = files({"name": "v", "projected": {"defaultMode": 0o440, "sources": sources}})
    assert found == {"token": File(b"token-x-1", 0o440), "ca.crt": File(b"1", 0o440)}


@pytest.mark.parametrize(
    ("volume", "complaint"),
    [
        ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        ({"configMap": {"name": "cm", "items": [{"key": "z", "path": "z"}]}}, 'no key "z"'),
        ({"projected": {"sources": [{"clusterTrustBundle": {}}]}}, "clusterTrustBundle"),
    ],
)
def test_what_is_missing_is_named(volume: dict[str, Any], complaint: str) -> None:
    with pytest.raises(CannotMount, match=complaint):
        files({"name": "v", **volume})


@pytest.mark.parametrize(("seconds", "asked"), [(3600, 1), (0, 2)])
def test_a_token_is_kept_until_most_of_its_life_is_over(seconds: float, asked: int) -> None:
    source, shelf = Objects(seconds), TokenShelf()

    async def twice() -> None:
        for _ in range(2):
            await shelf.token(POD, {"path": "token"}, source)

    asyncio.run(twice())
    assert source.tokens == asked


def test_a_volume_names_what_it_follows() -> None:
    sources = [{"configMap": {"name": "cm"}}, {"secret": {"name": "s"}}]
    assert references({"name": "v", "projected": {"sources": sources}}) == {
        ("ConfigMap", "cm"),
        ("Secret", "s"),
    }
    assert references({"name": "v", "emptyDir": {}}) == set()


def test_a_new_set_of_files_replaces_the_old_one(tmp_path: Path) -> None:
    write_atomically(tmp_path, {"old": File(b"1"), "both": File(b"1"), "sub/x": File(b"1")})
    before = (tmp_path / "..data").readlink()
    write_atomically(tmp_path, {"both": File(b"2", 0o400), "new": File(b"2")})
    assert (tmp_path / "..data").readlink() != before
    assert not (tmp_path / before).exists()
    visible = {path.name for path in tmp_path.iterdir() if not path.name.startswith("..")}
    assert visible == {"both", "new"}
    assert (tmp_path / "both").read_bytes() == b"2"
    assert (tmp_path / "both").stat().st_mode & 0o777 == 0o400


def test_an_open_file_keeps_its_old_content(tmp_path: Path) -> None:
    write_atomically(tmp_path, {"a": File(b"old")})
    with (tmp_path / "a").open("rb") as file:
        write_atomically(tmp_path, {"a": File(b"new")})
        assert file.read() == b"old"
    assert (tmp_path / "a").read_bytes() == b"new"
