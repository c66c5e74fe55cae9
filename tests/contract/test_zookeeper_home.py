"""A machine without Maven and without a cache: ZooKeeper comes from an unpacked distribution."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from local.node import pull
from local.node.errors import CannotStart

pytestmark = pytest.mark.contract

VERSION = "3.9.5"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and every command that there is but Maven."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for command in Path(folder).glob("*"):
            if command.name != "mvn" and not (commands / command.name).exists():
                (commands / command.name).symlink_to(command)
    monkeypatch.setenv("PATH", str(commands))
    monkeypatch.setenv("ZOOKEEPER_FUNCTIONS_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked distribution as Apache makes it: its jars in lib/."""
    fetched = asyncio.run(pull.fetch(VERSION))
    home = tmp_path_factory.mktemp("apache-zookeeper") / f"apache-zookeeper-{VERSION}-bin"
    shutil.copytree(fetched / "lib", home / "lib", ignore=shutil.ignore_patterns("*.jsa"))
    return home


# It starts a server of its own to see which classes are read: ten seconds.
@pytest.mark.soak
def test_servers_run_from_the_distribution_that_zookeeper_home_names(
    distribution: Path, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOOKEEPER_HOME", str(distribution))
    image = asyncio.run(pull.fetch(VERSION))
    assert image.is_relative_to(machine / "cache")
    jars = {path.name for path in (distribution / "lib").glob("*.jar")}
    assert {path.name for path in (image / "lib").glob("*.jar")} == jars
    # It is made by a server of these jars that starts, serves and stops.
    assert (image / "lib" / "classes.jsa").stat().st_size > 1_000_000


def test_a_distribution_of_another_version_is_not_taken(
    distribution: Path, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del machine
    monkeypatch.setenv("ZOOKEEPER_HOME", str(distribution))
    with pytest.raises(CannotStart, match=r"set ZOOKEEPER_HOME to an unpacked distribution"):
        asyncio.run(pull.fetch("3.8.4"))
