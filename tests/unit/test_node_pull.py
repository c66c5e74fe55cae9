"""Fetching an image: what is there is used as it is, and a killed fetch leaves nothing for long."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from local.node import pull
from local.node.errors import CannotStart


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The images of an empty cache, on a machine that can fetch nothing."""
    monkeypatch.setenv("ZOOKEEPER_FUNCTIONS_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.delenv("ZOOKEEPER_HOME", raising=False)
    return tmp_path / "images"


def test_an_image_that_is_there_is_used_from_a_cache_that_cannot_be_written(images: Path) -> None:
    folder = images / "zookeeper-3.9.5"
    folder.mkdir(parents=True)
    asyncio.run(pull.fetch("3.9.5"))
    assert [path.name for path in images.iterdir()] == ["zookeeper-3.9.5"], "not even a lock"


def test_the_next_fetch_removes_what_a_killed_one_of_that_version_left(images: Path) -> None:
    (images / ".pull-3.9.5-killed" / "image").mkdir(parents=True)
    (images / ".pull-3.8.4-running").mkdir()
    with pytest.raises(CannotStart, match="Maven is missing"):
        asyncio.run(pull.fetch("3.9.5"))
    assert sorted(path.name for path in images.iterdir()) == [
        ".pull-3.8.4-running",
        "zookeeper-3.9.5.lock",
    ]
