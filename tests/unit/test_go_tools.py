"""Programs that only tests use: found in the cache, or a sentence that says how to get them."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.control_plane.binaries import NoBinaries
from local.go_tools import TOOLS, ensure


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, on a machine without Go."""
    monkeypatch.setenv("ZOOKEEPER_FUNCTIONS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "cache"


def test_without_go_it_is_said_what_to_install_and_where(cache: Path) -> None:
    with pytest.raises(NoBinaries, match=f"Go is not installed.*put helm into {cache}"):
        ensure("helm", lambda _: None)


def test_what_was_built_once_is_not_built_again(cache: Path) -> None:
    program = cache / "tools" / TOOLS["helm"][1] / "helm"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    said: list[str] = []
    assert (ensure("helm", said.append), said) == (program, [])
