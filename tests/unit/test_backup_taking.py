"""Taking a state from the folder of a server that goes on writing, rolling and purging."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from functions.adapters.memory import MemoryObjectStore
from functions.backups.following import ServerLogs
from functions.backups.parts import Outbox
from functions.backups.proof import prove_prefix
from functions.backups.proven import Depth
from functions.backups.taken import NotTaken
from functions.backups.taking import Committed, ServerFolders
from tests.unit.server_folders import (
    END,
    EPOCH,
    NAMES,
    OBJECT_KEY,
    START,
    at,
    back_up,
    contents,
    log_file,
    server_folder,
    set_data,
    snapshot_file,
)
from tests.unit.zookeeper_files import LOG_HEADER, ZEROS, node, snapshot_of

KEY = f"{OBJECT_KEY}/pod"


@pytest.fixture
def folders(tmp_path: Path) -> ServerFolders:
    return server_folder(tmp_path / "version-2")


@pytest.fixture
def store() -> MemoryObjectStore:
    return MemoryObjectStore()


def test_a_backup_holds_the_newest_snapshot_and_the_log_behind_it_without_zeros(
    folders: ServerFolders, store: MemoryObjectStore
) -> None:
    made = back_up(store, folders)
    found = contents(store)
    assert set(found) == {*NAMES, "manifest.json"}
    assert found["log.100000001"] == log_file(1, 2, 3, 4, 5)
    assert found["log.100000006"] == log_file(6, 7, 8, 9)
    assert found["snapshot.100000002"] == snapshot_file(START)
    assert (made.manifest.zxid, made.manifest.epoch, made.manifest.quorum) == (END, 1, True)
    assert prove_prefix(store, KEY).zxid == END


@pytest.mark.parametrize(
    ("count", "logs"),
    [
        pytest.param(8, {"log.100000001": (1, 2, 3, 4, 5), "log.100000006": (6, 7, 8)}, id="cut"),
        pytest.param(
            6, {"log.100000001": (1, 2, 3, 4, 5), "log.100000006": (6,)}, id="all-but-one"
        ),
        pytest.param(5, {"log.100000001": (1, 2, 3, 4, 5)}, id="a-whole-log-is-later"),
        pytest.param(3, {"log.100000001": (1, 2, 3)}, id="the-first-log-is-cut"),
        pytest.param(2, {}, id="nothing-behind-the-snapshot"),
    ],
)
def test_what_the_server_had_not_processed_is_cut_off(
    folders: ServerFolders, store: MemoryObjectStore, count: int, logs: dict[str, tuple[int, ...]]
) -> None:
    made = back_up(store, folders, at(EPOCH | count))
    found = {name: data for name, data in contents(store).items() if name.startswith("log")}
    assert found == {name: log_file(*counts) for name, counts in logs.items()}
    assert made.manifest.zxid == EPOCH | count


def test_without_a_quorum_the_whole_disk_is_taken_and_the_result_says_so(
    folders: ServerFolders, store: MemoryObjectStore
) -> None:
    made = back_up(store, folders, lambda: None)
    assert (made.manifest.zxid, made.manifest.quorum) == (END, False)
    assert "No server served" in made.warnings[0]


def _purge(folder: Path) -> None:
    for name in ("snapshot.0", "snapshot.100000002", "log.100000001", "log.100000006"):
        (folder / name).unlink()


def _roll(folder: Path) -> None:
    (folder / "log.10000000a").write_bytes(log_file(10, 11) + ZEROS)


def _snapshot(folder: Path) -> None:
    (folder / "snapshot.100000009").write_bytes(snapshot_file(END))


@pytest.mark.parametrize(
    ("happens", "zxid"),
    [
        pytest.param(_roll, END, id="a-new-log-that-is-too-late"),
        pytest.param(_roll, END + 1, id="a-new-log-that-is-needed"),
        pytest.param(_snapshot, END, id="a-new-snapshot"),
    ],
)
def test_the_end_is_right_whatever_appears_while_it_is_asked_for(
    folders: ServerFolders, store: MemoryObjectStore, happens: Callable[[Path], None], zxid: int
) -> None:
    def ask() -> Committed:
        happens(folders.logs)
        return Committed(zxid, 2)

    made = back_up(store, folders, ask)
    assert made.manifest.zxid == zxid
    assert made.manifest.snapshot_zxid == START
    assert prove_prefix(store, KEY).zxid == zxid


@pytest.mark.parametrize("call", range(2, 12))
def test_files_that_are_purged_while_they_are_copied_are_copied_all_the_same(
    folders: ServerFolders, store: MemoryObjectStore, call: int
) -> None:
    """From the answer of the server on all files are open, so their names no longer matter."""

    def ask() -> Committed:
        store.faults.reset()
        store.faults.at(call, lambda: _purge(folders.logs))
        return Committed(END, 2)

    made = back_up(store, folders, ask)
    assert (made.manifest.snapshot_zxid, made.manifest.zxid) == (START, END)
    assert prove_prefix(store, KEY).zxid == END


def test_a_purge_before_the_logs_are_open_begins_again_with_what_is_there(
    folders: ServerFolders, store: MemoryObjectStore
) -> None:
    asked = []

    def ask() -> Committed:
        asked.append(1)
        if len(asked) == 1:
            _purge(folders.logs)
            _snapshot(folders.snapshots)
        return Committed(END, 2)

    made = back_up(store, folders, ask)
    assert (made.manifest.snapshot_zxid, made.manifest.zxid) == (END, END)
    assert set(contents(store)) == {
        "acceptedEpoch", "currentEpoch", "snapshot.100000009", "manifest.json"
    }  # fmt: skip


def test_a_transaction_that_the_server_has_not_written_yet_is_waited_for(
    folders: ServerFolders, store: MemoryObjectStore
) -> None:
    log = folders.logs / "log.100000006"

    def grow() -> None:
        # In two pieces, the first of which ends within a transaction.
        whole = log_file(6, 7, 8, 9, 10, 11)
        log.write_bytes(whole[:-40] + ZEROS)
        log.write_bytes(whole + ZEROS)

    def ask() -> Committed:
        threading.Timer(0.2, grow).start()
        return Committed(END + 1, 2)

    made = back_up(store, folders, ask)
    assert made.manifest.zxid == END + 1
    assert contents(store)["log.100000006"] == log_file(6, 7, 8, 9, 10)


def test_a_log_that_is_rolled_while_its_end_is_waited_for_is_read_to_its_end(
    folders: ServerFolders, store: MemoryObjectStore
) -> None:
    def roll() -> None:
        (folders.logs / "log.100000006").write_bytes(log_file(6, 7, 8, 9, 10))
        (folders.logs / "log.10000000b").write_bytes(log_file(11, 12) + ZEROS)

    def ask() -> Committed:
        threading.Timer(0.2, roll).start()
        return Committed(END + 2, 2)

    made = back_up(store, folders, ask)
    assert made.manifest.zxid == END + 2
    assert contents(store)["log.10000000b"] == log_file(11)


class RolledWhileListed(ServerLogs):
    """The server finishes one log and begins the next right after the first was read to its end."""

    listed = 0

    def open_new(self) -> None:
        self.listed += 1
        if self.listed == 2:
            (self.folder / "log.100000006").write_bytes(log_file(6, 7, 8, 9, 10))
            (self.folder / "log.10000000b").write_bytes(log_file(11, 12) + ZEROS)
        ServerLogs.open_new(self)


def test_the_end_of_a_log_is_read_once_more_when_the_next_one_is_there(
    folders: ServerFolders, store: MemoryObjectStore
) -> None:
    (folders.logs / "log.100000001").unlink()
    with ExitStack() as stack:
        logs = RolledWhileListed(folders.logs, EPOCH | 5, END + 2, stack)
        logs.open_new()
        outbox = Outbox(store, "a/")
        passed = [read.last for read, _ in logs.pass_on(outbox)]
        outbox.wait()
        outbox.close()
    assert passed == [END + 1, END + 2]
    assert store.objects["a/log.100000006"].data == log_file(6, 7, 8, 9, 10)


def test_a_server_whose_disk_lacks_what_it_processed_gives_no_backup(
    folders: ServerFolders, store: MemoryObjectStore
) -> None:
    with pytest.raises(NotTaken, match="is at 0x10000000a, and its files end with 0x100000009"):
        back_up(store, folders, at(END + 1), end_seconds=0.05)
    assert store.objects == {}


def test_right_after_an_election_there_is_no_transaction_to_wait_for(
    folders: ServerFolders, store: MemoryObjectStore
) -> None:
    made = back_up(store, folders, at(2 << 32), end_seconds=0.05)
    assert made.manifest.zxid == END


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="just-made"),
        pytest.param(snapshot_file(END)[:100], id="half-written"),
        pytest.param(snapshot_file(END)[:-30] + b"x" + snapshot_file(END)[-29:], id="damaged"),
    ],
)
def test_a_newest_snapshot_that_cannot_be_used_gives_way_to_the_one_before(
    folders: ServerFolders, store: MemoryObjectStore, content: bytes
) -> None:
    (folders.snapshots / "snapshot.100000009").write_bytes(content)
    made = back_up(store, folders)
    assert (made.manifest.snapshot_zxid, made.manifest.zxid) == (START, END)
    assert set(contents(store)) == {*NAMES, "manifest.json"}


def test_a_snapshot_with_more_than_was_processed_gives_way_to_the_one_before(
    folders: ServerFolders, store: MemoryObjectStore
) -> None:
    (folders.snapshots / "snapshot.100000009").write_bytes(snapshot_file(END))
    made = back_up(store, folders, at(END - 1))
    assert (made.manifest.snapshot_zxid, made.manifest.zxid) == (START, END - 1)


def test_a_snapshot_alone_that_fits_not_its_digest_gives_way_to_the_one_before(
    folders: ServerFolders, store: MemoryObjectStore
) -> None:
    half = snapshot_of(node(""), digest=(END, 2, 12345), last_zxid=END)
    (folders.snapshots / "snapshot.100000009").write_bytes(half)
    assert back_up(store, folders).manifest.snapshot_zxid == START


def test_damage_on_the_servers_disk_is_named(
    folders: ServerFolders, store: MemoryObjectStore
) -> None:
    damaged = log_file(1, 2, 3, 4, 5).replace(bytes([(EPOCH | 4) % 251]) * 5, b"wrong")
    (folders.logs / "log.100000001").write_bytes(damaged)
    with pytest.raises(NotTaken, match=r"log\.100000001: it is damaged at byte"):
        back_up(store, folders)
    assert store.objects == {}


def test_a_volume_where_no_server_ran_is_told(store: MemoryObjectStore, tmp_path: Path) -> None:
    with pytest.raises(NotTaken, match="holds no snapshot"):
        back_up(store, ServerFolders(tmp_path, tmp_path))


@pytest.mark.parametrize(
    ("size", "last"),
    [
        pytest.param(3000, 199, id="many-transactions-to-a-block"),
        pytest.param(3_000_000, 9, id="many-blocks-to-a-transaction"),
    ],
)
def test_large_files_go_in_parts_and_come_back_as_they_were(
    folders: ServerFolders, size: int, last: int
) -> None:
    store = MemoryObjectStore(min_part=1 << 10)
    large = LOG_HEADER + b"".join(set_data(EPOCH | n, size) for n in range(6, last + 1))
    (folders.logs / "log.100000006").write_bytes(large + ZEROS)
    made = back_up(store, folders, at(EPOCH | last - 1), part_bytes=10_000)
    assert contents(store)["log.100000006"] == large[: -len(set_data(EPOCH | last, size))]
    assert store.uploads == {}
    assert made.manifest.zxid == EPOCH | last - 1


def test_the_deep_proof_finds_what_the_sums_cannot(
    folders: ServerFolders, store: MemoryObjectStore
) -> None:
    back_up(store, folders)
    assert prove_prefix(store, KEY, depth=Depth.TREE).nodes == 2
