"""Making a backup: all of it or nothing, whatever fails when, and what dead runs leave goes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from functions.adapters.memory import MemoryObjectStore
from functions.adapters.stores.errors import NoSuchBucket, StoreError, StoreFull, Unreachable
from functions.backups.making import Target, Work, make
from functions.backups.manifest import MANIFEST, UNFINISHED
from functions.backups.parts import Outbox
from functions.backups.proof import prove_prefix
from functions.backups.removing import remove_backup
from functions.backups.taken import Taken
from functions.backups.taking import Committed, ServerFolders
from functions.backups.unproven import Unproven
from functions.pods.outcome import Stopped
from tests.unit.server_folders import (
    END,
    NAMES,
    NOW,
    OBJECT_KEY,
    ORIGIN,
    back_up,
    contents,
    server_folder,
)

KEY = f"{OBJECT_KEY}/pod"
CUT = Unreachable("the store is away")
# As small as this, the logs and the snapshot go in parts.
PART_BYTES = 64
MOST_CALLS = 400


@pytest.fixture
def folders(tmp_path: Path) -> ServerFolders:
    return server_folder(tmp_path / "version-2")


def new_store() -> MemoryObjectStore:
    return MemoryObjectStore(min_part=1, clock=lambda: NOW)


@pytest.mark.parametrize("after", [False, True], ids=["before-it-happens", "after-it-happened"])
def test_a_failure_of_any_call_leaves_a_whole_backup_or_nothing(
    folders: ServerFolders, after: bool
) -> None:
    calls = failures = 0
    while calls < MOST_CALLS:
        calls += 1
        store = new_store()
        store.faults.fail_at(calls, CUT, after=after)
        try:
            back_up(store, folders, part_bytes=PART_BYTES)
        except StoreError:
            failures += 1
            assert (store.objects, store.uploads) == ({}, {}), calls
        if store.faults.calls < calls:
            break
        # The next pod of the Job begins anew.
        back_up(store, folders, pod="next", part_bytes=PART_BYTES)
        assert prove_prefix(store, f"{OBJECT_KEY}/next").manifest is not None
    assert calls < MOST_CALLS
    assert failures > 40


@pytest.mark.parametrize("call", [1, 2, 5, 10, 20, 30])
def test_what_is_left_by_a_run_whose_store_went_away_is_removed_by_a_later_run(
    folders: ServerFolders, call: int
) -> None:
    store = new_store()

    def go_away() -> None:
        store.refuses = CUT
        raise CUT

    store.faults.at(call, go_away)
    with pytest.raises(StoreError):
        back_up(store, folders, part_bytes=PART_BYTES)
    store.refuses = None
    if store.objects:
        with pytest.raises(Unproven, match="never finished"):
            prove_prefix(store, KEY)

    back_up(store, folders, pod="soon")
    was_left = bool(contents(store))
    assert was_left or call == 1
    store.clock = lambda: NOW + timedelta(hours=3)
    back_up(store, folders, pod="later")
    assert contents(store) == {}
    assert store.uploads == {}
    for pod in ("soon", "later"):
        assert prove_prefix(store, f"{OBJECT_KEY}/{pod}").manifest is not None


def test_a_sweep_spares_whole_backups_those_of_the_old_system_and_other_keys(
    folders: ServerFolders,
) -> None:
    store = new_store()
    back_up(store, folders, pod="whole")
    # A run that died between its manifest and the removal of its mark.
    store.put(f"{OBJECT_KEY}/whole/{UNFINISHED}", b"")
    for key in (f"{OBJECT_KEY}/seed/log.1", f"{OBJECT_KEY}-2/other/{UNFINISHED}"):
        store.put(key, b"x")
    before = set(store.objects)
    store.clock = lambda: NOW + timedelta(days=30)
    back_up(store, folders, pod="now")
    assert before <= set(store.objects)
    assert prove_prefix(store, f"{OBJECT_KEY}/whole").manifest is not None


def test_two_runs_at_the_same_time_do_not_disturb_each_other(folders: ServerFolders) -> None:
    store = new_store()

    def ask() -> Committed:
        """Let a second run begin and end while the first has begun."""
        back_up(store, folders, pod="second")
        return Committed(END, 2)

    back_up(store, folders, ask, pod="first")
    for pod in ("first", "second"):
        assert prove_prefix(store, f"{OBJECT_KEY}/{pod}").manifest is not None


def test_a_stopped_run_leaves_nothing() -> None:
    store = new_store()

    def take(outbox: Outbox) -> tuple[Taken, str, str]:
        writer = outbox.object("snapshot.1", 1)
        writer.write(bytes(1000))
        raise Stopped("now", is_final=False)

    with pytest.raises(Stopped):
        make(Target(store, OBJECT_KEY, "pod"), ORIGIN, Work(take, part_bytes=PART_BYTES))
    assert (store.objects, store.uploads) == ({}, {})


@pytest.mark.parametrize(
    ("store", "error"),
    [
        pytest.param(MemoryObjectStore(has_bucket=False), NoSuchBucket, id="no-bucket"),
        pytest.param(MemoryObjectStore(capacity=1000), StoreFull, id="full"),
    ],
)
def test_what_the_store_says_is_raised(
    folders: ServerFolders, store: MemoryObjectStore, error: type[StoreError]
) -> None:
    with pytest.raises(error):
        back_up(store, folders)
    assert store.objects == {}


def test_a_store_that_gives_back_something_else_gives_no_backup(folders: ServerFolders) -> None:
    """What was written is read back before there is a manifest."""
    store = new_store()

    class Forgetful(MemoryObjectStore):
        def put(self, key: str, data: bytes) -> None:
            super().put(key, data[:-1] + b"?" if key.endswith("log.100000006") else data)

    store = Forgetful(clock=lambda: NOW)
    with pytest.raises(Unproven, match=r"log\.100000006"):
        back_up(store, folders)
    assert store.objects == {}


def test_removing_a_backup_never_leaves_what_looks_like_one(folders: ServerFolders) -> None:
    for call in range(1, MOST_CALLS):
        store = new_store()
        back_up(store, folders)
        store.put(f"{OBJECT_KEY}/pod-2/log.1", b"x")
        store.faults.reset()
        store.faults.fail_at(call, CUT)
        try:
            remove_backup(store, KEY)
        except StoreError:
            left = contents(store)
            assert UNFINISHED in left or MANIFEST in left
            remove_backup(store, KEY)
        assert set(store.objects) == {f"{OBJECT_KEY}/pod-2/log.1"}
        if store.faults.calls < call:
            return
    pytest.fail("the removal never ends")


def test_a_backup_says_where_it_is_from(folders: ServerFolders) -> None:
    store = new_store()
    made = back_up(store, folders)
    manifest = prove_prefix(store, KEY).manifest
    assert manifest == made.manifest
    assert (manifest.cluster, manifest.server, manifest.members) == ("zk", "zk-0", ORIGIN.members)
    assert {file.name for file in manifest.files} == {*NAMES}
    assert manifest.start_time == "2026-11-21T12:00:00Z"
