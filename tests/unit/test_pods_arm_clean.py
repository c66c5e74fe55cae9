"""Before and after the swap: the order to ask before starting, and what is removed at the end."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pytest

from functions.planning.restoring import Swap
from functions.pods.arm import HeldByAnother, arm
from functions.pods.clean import StillNeeded, clean
from functions.pods.outcome import Failed
from functions.pods.restore_folder import (
    NoUid,
    RestoreFolder,
    armed_for,
    read_history,
    restore_folders,
    swap_of,
)
from functions.pods.stage import NotStaged
from functions.pods.swap import apply_restore, revert_restore
from tests.unit.restored_server import UID, Volumes, killed_at

PORT = "2189"
RESULT = {"zxid": "0x300000001", "nodes": 5}


@pytest.fixture(params=[False, True], ids=["one-volume", "log-volume"])
def volumes(request: pytest.FixtureRequest, tmp_path: Path) -> Volumes:
    """A server that serves, with a backup staged on its volumes."""
    made = Volumes(tmp_path / "server", request.param)
    made.fill()
    _stage(made, UID)
    return made


def _stage(volumes: Volumes, uid: str) -> None:
    volumes.stage(uid)
    restores = _restores(volumes, uid)
    files = {p.name: p.stat().st_size for r in restores for p in r.staged.iterdir()}
    record = {"key": "a/b", "epoch": 3, "files": files, "result": RESULT}
    for restore in restores:
        restore.armed.unlink()
        restore.staged_record.write_text(json.dumps(record))


def _restores(volumes: Volumes, uid: str = UID) -> tuple[RestoreFolder, ...]:
    return restore_folders(volumes.folders.data, volumes.folders.log, uid)


def _environment(volumes: Volumes, uid: str = UID, **more: str) -> dict[str, str]:
    folders = volumes.folders
    return {
        "RESTORE_UID": uid, "DATA_DIR": str(folders.data), "DATA_LOG_DIR": str(folders.log), **more
    }  # fmt: skip


def _arm(volumes: Volumes, uid: str = UID) -> object:
    return arm(_environment(volumes, uid))


def _clean(volumes: Volumes, outcome: str, uid: str = UID) -> object:
    return clean(_environment(volumes, uid, OUTCOME=outcome))


def _armed(volumes: Volumes) -> str:
    return armed_for(volumes.folders.data, volumes.folders.log)


def test_what_is_staged_is_armed(volumes: Volumes) -> None:
    before = volumes.held()
    assert _armed(volumes) == ""
    for _ in range(2):
        assert _arm(volumes) == {"armed": True, **RESULT}
        assert _armed(volumes) == UID
    assert volumes.held() == before


@pytest.mark.parametrize("damage", ["cut", "missing", "never-complete", "one-volume-only"])
def test_what_is_not_whole_is_not_armed(volumes: Volumes, damage: str) -> None:
    """Guards against a swap that puts less in place than was proven."""
    restores = _restores(volumes)
    match damage:
        case "cut":
            (restores[0].staged / "snapshot.300000000").write_text("")
        case "missing":
            (restores[-1].staged / "log.300000001").unlink()
        case "never-complete":
            restores[0].staged_record.unlink()
        case _:
            restores[-1].staged_record.unlink()
    with pytest.raises(NotStaged):
        _arm(volumes)
    assert _armed(volumes) == ""


def test_a_volume_is_armed_for_one_restore_at_a_time(volumes: Volumes) -> None:
    _arm(volumes)
    _stage(volumes, "uid-2")
    _arm(volumes, "uid-2")
    assert _armed(volumes) == "uid-2"
    assert not any(restore.armed.exists() for restore in _restores(volumes))


def test_a_restore_that_was_begun_is_not_passed_over(volumes: Volumes) -> None:
    _arm(volumes)
    assert killed_at(8, lambda: apply_restore(volumes.folders, UID, PORT))
    assert swap_of(volumes.folders.data, UID) is Swap.HALF
    _stage(volumes, "uid-2")
    with pytest.raises(HeldByAnother, match=UID):
        _arm(volumes, "uid-2")
    assert _armed(volumes) == UID


def test_armed_again_after_the_swap_nothing_changes(volumes: Volumes) -> None:
    _arm(volumes)
    apply_restore(volumes.folders, UID, PORT)
    before = volumes.held()
    assert _arm(volumes) == {"armed": True, **RESULT}
    assert volumes.held() == before


@pytest.mark.parametrize("outcome", ["restored", "kept"])
def test_nothing_of_the_restore_is_left_but_its_data(volumes: Volumes, outcome: str) -> None:
    _arm(volumes)
    apply_restore(volumes.folders, UID, PORT)
    if outcome == "kept":
        revert_restore(volumes.folders, UID)
    before = volumes.held()
    for _ in range(2):
        _clean(volumes, outcome)
        assert volumes.held() == before
        assert not list(volumes.root.rglob(".restore"))
    assert swap_of(volumes.folders.data, UID) is (Swap.DONE if outcome == "restored" else Swap.NONE)


def test_what_was_only_staged_is_removed_without_a_trace(volumes: Volumes) -> None:
    before = volumes.held()
    _clean(volumes, "kept")
    assert volumes.held() == before
    assert not list(volumes.root.rglob(".restore"))


def test_another_restores_things_stay(volumes: Volumes) -> None:
    _stage(volumes, "uid-2")
    others = [restore.folder for restore in _restores(volumes, "uid-2")]
    before = {p: p.read_bytes() for f in others for p in f.rglob("*") if p.is_file()}
    _clean(volumes, "kept")
    assert {p: p.read_bytes() for f in others for p in f.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("state", ["swapped", "half", "taken-back-half"])
def test_own_data_that_has_not_come_back_is_not_removed(volumes: Volumes, state: str) -> None:
    """Guards against a clean-up that overtakes a server: it would delete the only own data."""
    _arm(volumes)
    if state == "half":
        killed_at(10, lambda: apply_restore(volumes.folders, UID, PORT))
    else:
        apply_restore(volumes.folders, UID, PORT)
    if state == "taken-back-half":
        killed_at(4, lambda: revert_restore(volumes.folders, UID))
    with pytest.raises(StillNeeded, match="take it back"):
        _clean(volumes, "kept")
    revert_restore(volumes.folders, UID)
    assert (volumes.folders.snapshots / "snapshot.400000000").read_text() == "own"


def test_a_backup_that_a_server_has_yet_to_put_in_place_is_not_removed(volumes: Volumes) -> None:
    _arm(volumes)
    with pytest.raises(StillNeeded, match="put the backup in place"):
        _clean(volumes, "restored")
    apply_restore(volumes.folders, UID, PORT)
    assert (volumes.folders.snapshots / "snapshot.300000000").read_text() == "backup"


@pytest.mark.thorough
@pytest.mark.parametrize("outcome", ["restored", "kept"])
def test_a_clean_up_killed_anywhere_is_done_by_the_next(
    volumes: Volumes, tmp_path: Path, outcome: str
) -> None:
    _arm(volumes)
    apply_restore(volumes.folders, UID, PORT)
    if outcome == "kept":
        revert_restore(volumes.folders, UID)
    before, history = volumes.held(), read_history(volumes.folders.data)
    for number in itertools.count(1):
        left = volumes.copied_to(tmp_path / f"{number}")
        dies = killed_at(number, lambda left=left: _clean(left, outcome))  # type: ignore[misc]
        whole = Swap.DONE if outcome == "restored" else Swap.NONE
        assert swap_of(left.folders.data, UID) is whole, "its server may start meanwhile"
        _clean(left, outcome)
        assert (left.held(), read_history(left.folders.data)) == (before, history)
        assert not list(left.root.rglob(".restore"))
        shutil.rmtree(left.root)
        if not dies:
            assert number > 5, "there are more changes than that"
            return


@pytest.mark.parametrize("outcome", ["", "done"])
def test_without_an_outcome_nothing_is_removed(volumes: Volumes, outcome: str) -> None:
    with pytest.raises(Failed, match="OUTCOME"):
        _clean(volumes, outcome)
    assert list(volumes.root.rglob("staged.json"))


def test_a_uid_cannot_lead_elsewhere(volumes: Volumes) -> None:
    for uid in ("", "..", "../../data"):
        with pytest.raises(NoUid):
            _clean(volumes, "kept", uid)
        with pytest.raises(NoUid):
            _arm(volumes, uid)
