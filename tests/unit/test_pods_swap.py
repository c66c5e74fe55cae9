"""Putting a backup in place and taking it back, on real files, killed at every change of them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.planning.restoring import Swap
from functions.pods.disk import own_list
from functions.pods.restore_folder import (
    NoUid,
    armed_for,
    read_history,
    read_volume,
    restore_folder,
)
from functions.pods.swap import apply_restore, revert_restore
from functions.pods.volumes import keep_together
from tests.unit.restored_server import LINES, PENDING, UID, Volumes, killed_at

PORT = "2189"


@pytest.fixture(params=[False, True], ids=["one-volume", "log-volume"])
def volumes(request: pytest.FixtureRequest, tmp_path: Path) -> Volumes:
    """A stopped server that served, with a staged backup and the order to ask before it starts."""
    made = Volumes(tmp_path / "first", request.param)
    made.fill(history="an-earlier-restore")
    made.stage()
    keep_together(made.folders)
    return made


def _apply(volumes: Volumes) -> None:
    apply_restore(volumes.folders, UID, PORT)


def _revert(volumes: Volumes) -> None:
    revert_restore(volumes.folders, UID)


def test_the_backup_is_what_the_server_starts_from(volumes: Volumes) -> None:
    _apply(volumes)
    folders = volumes.folders
    held = {path.name: path.read_text() for path in folders.snapshots.iterdir()}
    held |= {path.name: path.read_text() for path in folders.logs.iterdir()}
    assert held == {
        "snapshot.300000000": "backup",
        "log.300000001": "backup",
        # One above all that any of its servers or clients has seen.
        "acceptedEpoch": "6\n",
        "currentEpoch": "6\n",
    }
    assert (folders.data / "myid").read_text() == "1\n"
    assert read_history(folders.data) == UID
    assert read_volume(folders).swap is Swap.DONE


@pytest.mark.parametrize(("epoch", "expected"), [(3, "6\n"), (9, "10\n")])
def test_epochs_never_go_back(tmp_path: Path, epoch: int, expected: str) -> None:
    made = Volumes(tmp_path, has_log_volume=False)
    made.fill()
    made.stage(epoch=epoch)
    _apply(made)
    assert (made.folders.snapshots / "currentEpoch").read_text() == expected


def test_the_member_list_stays_its_own_behind_the_closed_port(volumes: Volumes) -> None:
    before = own_list(volumes.folders)
    _apply(volumes)
    after = own_list(volumes.folders)
    assert after.text == LINES.replace("2181", PORT)
    assert after.file == before.file, "a list's version is in its file's name"
    assert not volumes.folders.pending_list.exists(), "a server takes up a pending list"


@pytest.mark.parametrize(
    ("line", "closed"),
    [
        ("server.1=a:1:2:participant;2181", "server.1=a:1:2:participant;2189"),
        ("server.1=[::1]:1:2;[::]:2181", "server.1=[::1]:1:2;[::]:2189"),
        ("server.1=a:2181:2181:observer;b:2181", "server.1=a:2181:2181:observer;b:2189"),
        ("weight.1=2181", "weight.1=2181"),
    ],
)
def test_of_a_line_only_the_client_port_changes(volumes: Volumes, line: str, closed: str) -> None:
    Path(own_list(volumes.folders).file).write_text(f"{line}\n{LINES}")
    _apply(volumes)
    assert own_list(volumes.folders).text.splitlines()[0] == closed


def test_what_was_put_in_place_is_taken_back_with_all_that_it_changed(volumes: Volumes) -> None:
    before = volumes.held()
    _apply(volumes)
    _serve(volumes)
    _revert(volumes)
    assert volumes.held() == before
    assert read_volume(volumes.folders).swap is Swap.NONE
    assert read_history(volumes.folders.data) == "an-earlier-restore"
    assert volumes.folders.pending_list.read_text() == PENDING


def _serve(volumes: Volumes) -> None:
    """Let the restored server run: it writes new files and a list of its own."""
    folders = volumes.folders
    (folders.snapshots / "snapshot.700000000").write_text("new")
    (folders.logs / "log.700000001").write_text("new")
    (folders.snapshots / "acceptedEpoch").write_text("7\n")
    folders.pending_list.write_text("server.1=x\nversion=700000001\n")


def test_both_may_come_twice(volumes: Volumes) -> None:
    before = volumes.held()
    _apply(volumes)
    applied = volumes.held()
    _apply(volumes)
    assert volumes.held() == applied
    _revert(volumes)
    _revert(volumes)
    assert volumes.held() == before


def _killed(volumes: Volumes, tmp_path: Path, work: str) -> Iterator[Volumes]:
    """Yield what is left of the work, for every change of the disk that it may die before."""
    works, least = {"apply": _apply, "revert": _revert}, {"apply": 20, "revert": 6}
    for number in itertools.count(1):
        left = volumes.copied_to(tmp_path / f"{work}-{number}")
        dies = killed_at(number, lambda left=left: works[work](left))  # type: ignore[misc]
        yield left
        shutil.rmtree(left.root)
        if not dies:
            assert number > least[work], "there are more changes than that"
            return


@pytest.mark.thorough
def test_a_swap_killed_anywhere_ends_the_same(volumes: Volumes, tmp_path: Path) -> None:
    done = volumes.copied_to(tmp_path / "done")
    _apply(done)
    for left in _killed(volumes, tmp_path, "apply"):
        _apply(left)
        assert left.held() == done.held()


@pytest.mark.thorough
def test_a_swap_killed_anywhere_is_taken_back_in_full(volumes: Volumes, tmp_path: Path) -> None:
    before = volumes.held()
    for left in _killed(volumes, tmp_path, "apply"):
        if read_volume(left.folders).swap is not Swap.NONE:
            _revert(left)
        assert left.held() == before


def test_a_way_back_killed_anywhere_ends_the_same(volumes: Volumes, tmp_path: Path) -> None:
    before = volumes.held()
    _apply(volumes)
    _serve(volumes)
    for left in _killed(volumes, tmp_path, "revert"):
        if read_volume(left.folders).swap is not Swap.NONE:
            _revert(left)
        assert left.held() == before


def test_wherever_it_is_killed_own_data_is_never_half_of_what_a_server_sees(
    volumes: Volumes, tmp_path: Path
) -> None:
    """A volume that says `none` or `done` is whole: only those start a server."""
    before = volumes.held()
    done = volumes.copied_to(tmp_path / "done")
    _apply(done)
    for left in _killed(volumes, tmp_path, "apply"):
        match read_volume(left.folders).swap:
            case Swap.NONE:
                assert left.held() == before
            case Swap.DONE:
                assert left.held() == done.held()
            case Swap.HALF:
                pass


def test_a_volume_on_which_nothing_was_staged_starts_empty_and_goes_back_empty(
    tmp_path: Path,
) -> None:
    """It joins a restored ensemble: what it gets there is not to be had when that goes back."""
    made = Volumes(tmp_path, has_log_volume=False)
    made.fill()
    before = made.held()
    _apply(made)
    volume = read_volume(made.folders)
    assert (volume.is_empty, volume.armed, volume.swap) == (True, UID, Swap.DONE)
    _serve_refilled(made)
    _revert(made)
    assert made.held() == before


def _serve_refilled(volumes: Volumes) -> None:
    volumes.folders.snapshots.mkdir()
    volumes.folders.logs.mkdir(exist_ok=True)
    _serve(volumes)


def test_the_marker_of_a_new_disk_does_not_survive(volumes: Volumes) -> None:
    """With it, an empty disk would vote."""
    volumes.folders.marker.write_text("")
    _apply(volumes)
    assert not volumes.folders.marker.exists()


@pytest.mark.parametrize("lost", ["data", "log"])
@pytest.mark.parametrize("when", ["before", "half-way", "after"])
def test_own_data_without_its_other_half_never_comes_back(
    tmp_path: Path, lost: str, when: str
) -> None:
    """Snapshots without their log lack acknowledged writes."""
    volumes = Volumes(tmp_path, has_log_volume=True)
    volumes.fill()
    volumes.stage()
    folders = volumes.folders
    keep_together(folders)
    if when == "half-way":
        killed_at(12, lambda: _apply(volumes))
        assert read_volume(folders).swap is Swap.HALF
    if when == "after":
        _apply(volumes)
    _lose(folders.data if lost == "data" else folders.log)
    if read_volume(folders).swap is not Swap.HALF:
        keep_together(folders)
    _apply(volumes)
    keep_together(folders)
    assert read_volume(folders).is_empty
    _revert(volumes)
    keep_together(folders)
    assert read_volume(folders).is_empty


def _lose(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def test_of_two_restores_the_one_that_was_begun_counts(volumes: Volumes) -> None:
    volumes.stage("uid-0")
    assert killed_at(9, lambda: _apply(volumes))
    assert read_volume(volumes.folders).swap is Swap.HALF
    folders = volumes.folders
    (restore_folder(folders.data, "uid-0").armed).touch()
    assert armed_for(folders.data, folders.log) == UID


def test_a_later_restore_settles_an_earlier_one(volumes: Volumes) -> None:
    _apply(volumes)
    volumes.stage("uid-2")
    apply_restore(volumes.folders, "uid-2", PORT)
    restore_folder(volumes.folders.data, "uid-2").armed.unlink()
    restore_folder(volumes.folders.log, "uid-2").armed.unlink(missing_ok=True)
    left = read_volume(volumes.folders)
    assert (left.armed, left.swap, left.history) == (UID, Swap.NONE, "uid-2")


@pytest.mark.parametrize("uid", ["", ".", "..", "a/b", "../x", "-a", "a" * 101, "a\n"])
def test_a_uid_cannot_lead_elsewhere(tmp_path: Path, uid: str) -> None:
    with pytest.raises(NoUid):
        restore_folder(tmp_path, uid)
