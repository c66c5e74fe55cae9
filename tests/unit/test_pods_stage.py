"""Staging a backup beside a server's data: proven before it counts, or refused by name."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.adapters.memory import MemoryObjectStore
from functions.adapters.stores.errors import NoSuchBucket, StoreError, Unreachable
from functions.backups.fetching import Wanted, fetch
from functions.backups.keys import InvalidKey
from functions.backups.manifest import MANIFEST, UNFINISHED
from functions.backups.unproven import Unproven
from functions.pods.disk import Folders
from functions.pods.progress import Progress
from functions.pods.restore_folder import NoUid, RestoreFolder, restore_folders
from functions.pods.stage import NoSpace, is_staged, stage
from functions.pods.swap import apply_restore
from tests.unit.restored_server import UID, Volumes, killed_at
from tests.unit.server_folders import END, NOW, OBJECT_KEY, back_up, contents, server_folder

KEY = f"{OBJECT_KEY}/pod"
MEGABYTE = 1_000_000
PLENTY = 1 << 40


@pytest.fixture
def store(tmp_path: Path) -> MemoryObjectStore:
    """A bucket with one backup."""
    made = MemoryObjectStore(clock=lambda: NOW)
    back_up(made, server_folder(tmp_path / "source"))
    return made


@pytest.fixture(params=[False, True], ids=["one-volume", "log-volume"])
def volumes(request: pytest.FixtureRequest, tmp_path: Path) -> Volumes:
    """The volumes of a server that serves."""
    made = Volumes(tmp_path / "server", request.param)
    made.fill()
    return made


def _environment(folders: Folders, **more: str) -> dict[str, str]:
    return {
        "KEY": KEY, "RESTORE_UID": UID, "EPOCH": "7",
        "DATA_DIR": str(folders.data), "DATA_LOG_DIR": str(folders.log), **more,
    }  # fmt: skip


def _stage(volumes: Volumes, store: MemoryObjectStore, free: int = PLENTY, **more: str) -> object:
    environment = _environment(volumes.folders, **more)
    return stage(environment, lambda: store, Progress(), lambda _: free)


def _restores(volumes: Volumes) -> tuple[RestoreFolder, ...]:
    return restore_folders(volumes.folders.data, volumes.folders.log, UID)


def _staged(volumes: Volumes) -> dict[str, bytes]:
    folders = [restore.staged for restore in _restores(volumes)]
    return {path.name: path.read_bytes() for folder in folders for path in folder.glob("*")}


def test_the_backup_lies_beside_the_servers_own_data_and_says_what_it_holds(
    volumes: Volumes, store: MemoryObjectStore
) -> None:
    before = volumes.held()
    result = _stage(volumes, store)
    assert volumes.held() == before
    assert is_staged(_restores(volumes))
    expected = {name: data for name, data in contents(store).items() if name != MANIFEST}
    assert _staged(volumes) == expected
    logs = _restores(volumes)[-1].staged
    assert sorted(path.name for path in logs.glob("log.*")) == ["log.100000001", "log.100000006"]
    size = sum(map(len, expected.values()))
    assert result == {
        "zxid": f"{END:#x}", "nodes": 2, "epoch": 1, "size": size, "warnings": []
    }  # fmt: skip
    record = json.loads(_restores(volumes)[0].staged_record.read_text())
    assert record["epoch"] == 7, "the servers know of a higher one than the backup"


def test_a_folder_of_the_system_before_ours_is_cut_to_the_state_it_holds(
    volumes: Volumes, store: MemoryObjectStore, tmp_path: Path
) -> None:
    """It copied a live folder: several snapshots, zeros behind the logs, no manifest."""
    for file in (tmp_path / "source").iterdir():
        store.put(f"seed/{file.name}", file.read_bytes())
    store.put("seed/", b"")
    result = _stage(volumes, store, KEY="seed/")
    assert isinstance(result, dict)
    (warning,) = result["warnings"]
    assert "no manifest.json" in warning
    assert result["nodes"] is None, "the log brings nodes that the snapshot does not have"
    assert _staged(volumes) == {k: v for k, v in contents(store).items() if k != MANIFEST}


def _damaged(store: MemoryObjectStore, name: str, data: bytes) -> MemoryObjectStore:
    key = f"{KEY}/{name}"
    other = MemoryObjectStore(clock=lambda: NOW)
    other.objects = {**store.objects, key: replace(store.objects[key], data=data)}
    return other


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_no_flipped_bit_of_any_object_is_staged(
    tmp_path: Path, store: MemoryObjectStore, data: st.DataObject
) -> None:
    held = contents(store)
    name = data.draw(st.sampled_from(sorted(held)))
    place = data.draw(st.integers(0, len(held[name]) - 1))
    flipped = bytearray(held[name])
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    volumes = Volumes(tmp_path / "server", has_log_volume=False)
    volumes.fill()
    before = volumes.held()
    with pytest.raises(Unproven, match=name):
        _stage(volumes, _damaged(store, name, bytes(flipped)))
    assert not is_staged(_restores(volumes))
    assert volumes.held() == before


@pytest.mark.parametrize("name", ["currentEpoch", "log.100000006", "snapshot.100000002"])
@pytest.mark.parametrize("damage", ["cut", "missing", "longer"])
def test_an_object_that_is_not_as_it_was_written_is_named(
    volumes: Volumes, store: MemoryObjectStore, name: str, damage: str
) -> None:
    data = contents(store)[name]
    other = _damaged(store, name, data[:-1] if damage == "cut" else data + b"\0")
    if damage == "missing":
        del other.objects[f"{KEY}/{name}"]
    with pytest.raises(Unproven, match=f"{KEY}/{name}"):
        _stage(volumes, other)


def test_what_is_no_backup_is_refused(volumes: Volumes, store: MemoryObjectStore) -> None:
    with pytest.raises(Unproven, match="is the key right"):
        _stage(volumes, store, KEY="default/no/such")
    unfinished = MemoryObjectStore(clock=lambda: NOW)
    unfinished.put(f"{KEY}/{UNFINISHED}", b"")
    unfinished.put(f"{KEY}/snapshot.1", b"x" * 100)
    with pytest.raises(Unproven, match="never finished"):
        _stage(volumes, unfinished)
    with pytest.raises(InvalidKey):
        _stage(volumes, store, KEY="default/../other")
    with pytest.raises(NoUid):
        _stage(volumes, store, RESTORE_UID="../..")


def test_an_object_that_leads_elsewhere_is_no_part_of_it(
    volumes: Volumes, store: MemoryObjectStore
) -> None:
    store.put(f"{KEY}/../../../myid", b"9")
    store.put(f"{KEY}/sub/snapshot.1", b"9")
    before = volumes.held()
    _stage(volumes, store)
    assert volumes.held() == before
    assert "myid" not in _staged(volumes)


def test_a_volume_without_room_is_not_filled_and_says_how_much_is_missing(
    volumes: Volumes, store: MemoryObjectStore
) -> None:
    with pytest.raises(NoSpace, match=r"server/data has 60.0 MB free.* 7.1 MB are missing"):
        _stage(volumes, store, free=60 * MEGABYTE)
    assert _staged(volumes) == {}


def test_what_is_staged_is_not_fetched_again(volumes: Volumes, store: MemoryObjectStore) -> None:
    first = _stage(volumes, store)
    assert isinstance(first, dict)
    store.refuses = NoSuchBucket("the bucket is gone")
    assert _stage(volumes, store) == {**first, "already": True}


@pytest.mark.parametrize("damage", ["cut", "missing", "more"])
def test_what_is_no_longer_whole_is_fetched_again(
    volumes: Volumes, store: MemoryObjectStore, damage: str
) -> None:
    first = _stage(volumes, store)
    file = _restores(volumes)[0].staged / "snapshot.100000002"
    match damage:
        case "cut":
            file.write_bytes(file.read_bytes()[:-1])
        case "missing":
            file.unlink()
        case _:
            file.with_name("snapshot.5").write_text("")
    assert _stage(volumes, store) == first
    assert is_staged(_restores(volumes))


def test_what_servers_start_from_already_is_left_alone(
    volumes: Volumes, store: MemoryObjectStore
) -> None:
    first = _stage(volumes, store)
    assert isinstance(first, dict)
    apply_restore(volumes.folders, UID, "2189")
    before = volumes.held()
    assert _stage(volumes, store) == {**first, "already": True}
    assert volumes.held() == before


def test_several_restores_lie_side_by_side(volumes: Volumes, store: MemoryObjectStore) -> None:
    _stage(volumes, store)
    _stage(volumes, store, RESTORE_UID="uid-2")
    assert is_staged(_restores(volumes))


@pytest.mark.thorough
def test_killed_at_any_change_of_the_disk_it_is_done_by_the_next_try(
    tmp_path: Path, store: MemoryObjectStore
) -> None:
    whole = {name: data for name, data in contents(store).items() if name != MANIFEST}
    for number in itertools.count(1):
        volumes = Volumes(tmp_path / f"killed-{number}", has_log_volume=True)
        volumes.fill()
        dies = killed_at(number, lambda it=volumes: _stage(it, store))  # type: ignore[misc]
        if is_staged(_restores(volumes)):
            assert _staged(volumes) == whole
        _stage(volumes, store)
        assert _staged(volumes) == whole
        if not dies:
            assert number > 15, "there are more changes than that"
            return


@pytest.mark.parametrize("call", range(1, 14))
def test_whatever_the_store_fails_at_is_done_by_the_next_try(
    tmp_path: Path, store: MemoryObjectStore, call: int
) -> None:
    volumes = Volumes(tmp_path / "server", has_log_volume=False)
    volumes.fill()
    store.faults.reset()
    store.faults.fail_at(call, Unreachable("the store is away"))
    with pytest.raises(StoreError, match="away"):
        _stage(volumes, store)
    assert not is_staged(_restores(volumes))
    _stage(volumes, store)
    assert is_staged(_restores(volumes))


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 12_345])
def test_a_large_object_comes_in_pieces(tmp_path: Path, size: int) -> None:
    came: list[int] = []
    store = MemoryObjectStore()
    content = bytes(number % 251 for number in range(size))
    store.put("large", content)
    fetch(store, [Wanted("large", size, tmp_path / "large")], came.append, 1000)
    assert (tmp_path / "large").read_bytes() == content
    assert sum(came) == size


def test_an_object_that_was_replaced_since_it_was_listed_is_not_mixed(tmp_path: Path) -> None:
    store = MemoryObjectStore()
    store.put("it", b"new and longer")
    with pytest.raises(StoreError, match="14 bytes by now"):
        fetch(store, [Wanted("it", 5, tmp_path / "it")], lambda _: None)
