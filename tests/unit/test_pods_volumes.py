"""A server's data and log volumes: one of them alone is no disk that may vote."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from functions.pods.disk import Folders, read_disk
from functions.pods.volumes import keep_together


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Two volumes, both new."""
    return _folders(tmp_path, "datalog")


def _folders(tmp_path: Path, log: str) -> Folders:
    for name in ("data", "datalog"):
        (tmp_path / name).mkdir(exist_ok=True)
    conf = tmp_path / "data/conf"
    return Folders(tmp_path / "data", tmp_path / log, conf, conf, static_config="zoo.cfg")


def _fill(folder: Path, name: str) -> Path:
    (folder / "version-2").mkdir(exist_ok=True)
    (folder / "version-2" / name).write_text("held")
    return folder / "version-2" / name


def _serve(folders: Folders) -> None:
    _fill(folders.data, "snapshot.0")
    _fill(folders.log, "log.1")


def _lose(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def test_two_volumes_that_stay_together_keep_everything(folders: Folders) -> None:
    keep_together(folders)
    _serve(folders)
    for _ in range(2):
        keep_together(folders)
        assert not read_disk(folders).is_empty
    assert list(folders.data.glob("version-2.aside-*")) == []


@pytest.mark.parametrize("lost", ["data", "log"])
def test_what_is_left_of_two_volumes_is_put_aside_and_kept(folders: Folders, lost: str) -> None:
    """A snapshot without its log lacks acknowledged writes."""
    keep_together(folders)
    _serve(folders)
    gone, left = (folders.data, folders.log) if lost == "data" else (folders.log, folders.data)
    _lose(gone)
    keep_together(folders)
    assert read_disk(folders).is_empty
    (aside,) = left.glob("version-2.aside-*")
    assert [path.read_text() for path in aside.iterdir()] == ["held"]


def test_a_disk_that_was_filled_again_is_whole(folders: Folders) -> None:
    keep_together(folders)
    _serve(folders)
    _lose(folders.log)
    keep_together(folders)
    _serve(folders)
    keep_together(folders)
    assert not read_disk(folders).is_empty


def test_a_log_volume_of_another_server_is_no_half_of_this_one(
    folders: Folders, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = _folders(tmp_path / "other", "datalog")
    for each in (folders, other):
        keep_together(each)
        _serve(each)
    shutil.rmtree(folders.log)
    shutil.copytree(other.log, folders.log)
    keep_together(folders)
    assert read_disk(folders).is_empty


def test_volumes_from_before_there_were_tokens_are_taken_as_they_are(folders: Folders) -> None:
    _serve(folders)
    keep_together(folders)
    assert not read_disk(folders).is_empty
    _lose(folders.log)
    keep_together(folders)
    assert read_disk(folders).is_empty


@pytest.mark.parametrize("crash", ["before-the-log", "before-the-data"])
def test_a_crash_while_the_tokens_are_written_loses_nothing(folders: Folders, crash: str) -> None:
    _serve(folders)
    keep_together(folders)
    (folders.data / "volumes").unlink()
    if crash == "before-the-log":
        (folders.log / "volumes").unlink()
    keep_together(folders)
    assert not read_disk(folders).is_empty


def test_one_volume_for_both_carries_no_token(tmp_path: Path) -> None:
    one = _folders(tmp_path, "data")
    _fill(one.data, "snapshot.0")
    keep_together(one)
    assert not read_disk(one).is_empty
    assert not (one.data / "volumes").exists()
