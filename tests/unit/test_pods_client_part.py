"""Where a server takes clients without TLS, as its preparation writes it into its own list."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.pods.client_part import bind_clients
from functions.pods.disk import Folders, own_list

INSIDE, OUTSIDE = "127.0.0.1:2189", "0.0.0.0:2181"
LINES = "server.1=zk-0.zk:2888:3888:participant;{0}\nserver.2=zk-1.zk:2888:3888:observer;{0}\n"


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path, tmp_path, tmp_path / "conf", tmp_path / "raw", "zoo.cfg")


def _write_list(folders: Folders, text: str) -> Path:
    file = folders.config / "zoo.cfg.dynamic.100000007"
    folders.config.mkdir()
    folders.static_file.write_text(f"dataDir=/data\ndynamicConfigFile={file}\n")
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("before", "inside", "after"),
    [
        pytest.param(OUTSIDE, INSIDE, INSIDE, id="closed"),
        pytest.param("2181", INSIDE, INSIDE, id="closed-from-a-bare-port"),
        pytest.param("0.0.0.0:2189", INSIDE, INSIDE, id="closed-during-a-restore"),
        pytest.param(INSIDE, "", OUTSIDE, id="opened"),
        pytest.param(INSIDE, INSIDE, INSIDE, id="closed-already"),
        pytest.param("0.0.0.0:2189", "", "0.0.0.0:2189", id="open-and-a-restores-to-move"),
        pytest.param("10.0.0.7:2181", "", "10.0.0.7:2181", id="open-already"),
    ],
)
def test_the_own_list_and_one_that_waits_say_what_the_pod_says(
    folders: Folders, before: str, inside: str, after: str
) -> None:
    file = _write_list(folders, LINES.format(before))
    folders.pending_list.write_text(f"{LINES.format(before)}version=100000009\n")
    bind_clients(folders, inside, OUTSIDE)
    assert own_list(folders).text == LINES.format(after)
    assert own_list(folders).file == str(file)
    assert folders.pending_list.read_text() == f"{LINES.format(after)}version=100000009\n"


def test_a_server_without_a_list_of_its_own_is_left_alone(folders: Folders) -> None:
    bind_clients(folders, INSIDE, OUTSIDE)
    assert not folders.config.exists()
