"""Proving a backup: whatever was changed, cut, removed, swapped or added is found and named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.adapters.memory import MemoryObjectStore
from functions.backups.manifest import MANIFEST
from functions.backups.proof import NO_MANIFEST, prove_folder, prove_prefix
from functions.backups.proven import Depth, Proof
from functions.backups.unproven import Unproven
from tests.unit.server_folders import (
    END,
    EPOCH,
    NAMES,
    NOW,
    OBJECT_KEY,
    START,
    back_up,
    contents,
    log_file,
    server_folder,
    set_data,
    snapshot_file,
)
from tests.unit.zookeeper_files import ZEROS, record

KEY = f"{OBJECT_KEY}/pod"
DATABASE_ID = range(8, 16)  # Nobody reads it.
EPOCH_FILES = {"acceptedEpoch", "currentEpoch"}


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The objects of a backup, its manifest among them, by name."""
    store = MemoryObjectStore(clock=lambda: NOW)
    back_up(store, server_folder(tmp_path_factory.mktemp("server")))
    return contents(store)


def proof_of(objects: Mapping[str, bytes], depth: Depth = Depth.FILES) -> Proof:
    store = MemoryObjectStore(clock=lambda: NOW)
    for name, data in objects.items():
        store.put(f"{KEY}/{name}", data)
    return prove_prefix(store, KEY, depth=depth)


def refusal(objects: Mapping[str, bytes]) -> str:
    with pytest.raises(Unproven) as refused:
        proof_of(objects)
    return str(refused.value)


def bare(backup: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the same backup as the old system would have left it."""
    return {name: data for name, data in backup.items() if name != MANIFEST}


@st.composite
def places(draw: st.DrawFn) -> tuple[str, float]:
    """An object, and how far into it."""
    name = draw(st.sampled_from([*NAMES, MANIFEST]))
    return name, draw(st.floats(0, 1, exclude_max=True))


def test_a_backup_is_proven_with_all_it_says(backup: dict[str, bytes]) -> None:
    proof = proof_of(backup, Depth.TREE)
    assert (proof.snapshot_zxid, proof.zxid, proof.epoch, proof.nodes) == (START, END, 1, 2)
    assert {file.name for file in proof.files} == {*NAMES}
    assert proof.size == sum(len(data) for data in bare(backup).values())
    assert proof.warnings == ()


@given(place=places(), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_found_and_its_object_named(
    backup: dict[str, bytes], place: tuple[str, float], bit: int
) -> None:
    name, share = place
    changed = bytearray(backup[name])
    changed[int(share * len(changed))] ^= 1 << bit
    assert f"{KEY}/{name}" in refusal({**backup, name: bytes(changed)})


@settings(max_examples=50)
@given(place=places())
def test_an_object_that_is_cut_anywhere_is_named(
    backup: dict[str, bytes], place: tuple[str, float]
) -> None:
    name, share = place
    data = backup[name]
    assert f"{KEY}/{name}" in refusal({**backup, name: data[: int(share * len(data))]})


@pytest.mark.parametrize("name", NAMES)
def test_an_object_that_is_missing_is_named(backup: dict[str, bytes], name: str) -> None:
    left = {other: data for other, data in backup.items() if other != name}
    assert refusal(left) == f"{KEY}/{name} is missing: manifest.json lists it."


@given(names=st.lists(st.sampled_from([*NAMES, MANIFEST]), min_size=2, max_size=2, unique=True))
def test_two_objects_that_are_swapped_are_named(backup: dict[str, bytes], names: list[str]) -> None:
    one, other = names
    if backup[one] == backup[other]:
        return  # The epoch files say the same, so nothing was swapped.
    said = refusal({**backup, one: backup[other], other: backup[one]})
    assert any(f"{KEY}/{name}" in said for name in names)


@pytest.mark.parametrize("name", ["log.10000000a", "snapshot.0", "other", "below/log.1"])
def test_an_object_that_was_added_is_named(backup: dict[str, bytes], name: str) -> None:
    said = refusal({**backup, name: log_file(10)})
    assert said == f"{KEY}/{name} is not part of the backup: manifest.json does not list it."


def test_what_never_got_its_manifest_is_no_backup(backup: dict[str, bytes]) -> None:
    assert "never finished" in refusal({**bare(backup), "unfinished": b""})


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        pytest.param({}, "There is nothing below", id="nothing"),
        pytest.param({"readme.txt": b"x"}, "it holds no snapshot, but readme.txt", id="other"),
        pytest.param({"log.100000001": log_file(1)}, "it holds no snapshot", id="logs-alone"),
    ],
)
def test_what_is_no_backup_is_refused(objects: dict[str, bytes], said: str) -> None:
    assert said in refusal(objects)


# Folders that the system before ours wrote: no manifest.


def test_a_folder_without_a_manifest_is_proven_with_a_warning(backup: dict[str, bytes]) -> None:
    copied = {
        **bare(backup),
        "": b"",  # It wrote an object for the folder itself.
        "snapshot.0": snapshot_file(0),
        "log.100000006": log_file(6, 7, 8, 9) + ZEROS,
    }
    proof = proof_of(copied)
    assert (proof.snapshot.name, proof.zxid) == ("snapshot.100000002", END)
    assert proof.warnings == (NO_MANIFEST,)
    (last,) = (file for file in proof.files if file.name == "log.100000006")
    assert last.size == len(log_file(6, 7, 8, 9)), "what is allocated ahead does not count"


def _cut_end(files: dict[str, bytes]) -> None:
    files["log.100000006"] = log_file(6, 7, 8, 9) + set_data(END + 1)[:40] + ZEROS


def _half_a_snapshot(files: dict[str, bytes]) -> None:
    files["snapshot.100000009"] = snapshot_file(END)[:50]


@pytest.mark.parametrize(
    ("happened", "warning"),
    [
        pytest.param(_cut_end, "log.100000006 ends with a transaction that was cut", id="cut"),
        pytest.param(_half_a_snapshot, "A newer snapshot was passed over", id="half-a-snapshot"),
    ],
)
def test_what_a_copy_of_a_live_folder_may_have_is_passed_over_with_a_warning(
    backup: dict[str, bytes], happened: Callable[[dict[str, bytes]], None], warning: str
) -> None:
    files = bare(backup)
    happened(files)
    proof = proof_of(files)
    assert (proof.snapshot_zxid, proof.zxid) == (START, END)
    assert warning in proof.warnings[1]


@given(
    name=st.sampled_from(NAMES),
    share=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
def test_without_a_manifest_a_flipped_bit_is_found_or_says_nothing(
    backup: dict[str, bytes], name: str, share: float, bit: int
) -> None:
    """The exceptions: epochs have no sum, nobody reads a log's database id, and a last record
    whose end is missing looks as if its writing had been cut; a warning says so."""
    changed = bytearray(backup[name])
    at = int(share * len(changed))
    changed[at] ^= 1 << bit
    try:
        proof = proof_of({**bare(backup), name: bytes(changed)})
    except Unproven as refused:
        assert f"{KEY}/{name}" in str(refused)  # noqa: PT017 - it may as well be proven.
        return
    is_unread = name.startswith("log") and at in DATABASE_ID
    is_shorter = proof.zxid < END and any("was cut" in warning for warning in proof.warnings)
    assert name in EPOCH_FILES or is_unread or is_shorter


@pytest.mark.parametrize("name", ["log.100000001", "snapshot.100000002"])
def test_without_a_manifest_what_is_missing_before_the_end_is_found(
    backup: dict[str, bytes], name: str
) -> None:
    left = {other: data for other, data in bare(backup).items() if other != name}
    said = refusal(left)
    assert ("transactions are missing" if name.startswith("log") else "no snapshot") in said


def test_a_set_that_no_older_snapshot_makes_whole_is_refused(backup: dict[str, bytes]) -> None:
    holed = {**bare(backup), "log.100000001": log_file(1, 2, 3), "snapshot.0": snapshot_file(0)}
    assert "log.100000006: transactions are missing before these" in refusal(holed)


def test_a_folder_is_proven_like_a_prefix_also_in_two_parts(
    backup: dict[str, bytes], tmp_path: Path
) -> None:
    data, logs = tmp_path / "data", tmp_path / "logs"
    for name, content in backup.items():
        folder = logs if name.startswith("log") else data
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    assert prove_folder(data, logs).zxid == END
    (logs / "log.100000006").write_bytes(b"")
    with pytest.raises(Unproven, match=r"log\.100000006 has 0 bytes"):
        prove_folder(data, logs)


def test_the_deep_proof_names_the_transaction_where_the_tree_departs(
    backup: dict[str, bytes],
) -> None:
    digest = (2).to_bytes(4, "big") + (12345).to_bytes(8, "big")
    wrong = record(EPOCH | 10, _delete_of("/a") + digest, type=2)
    files = {**bare(backup), "log.10000000a": log_file() + wrong}
    assert proof_of(files).zxid == EPOCH | 10
    with pytest.raises(Unproven, match="after transaction 0x10000000a the tree is another"):
        proof_of(files, Depth.TREE)


def _delete_of(path: str) -> bytes:
    return len(path).to_bytes(4, "big") + path.encode()


def test_progress_ends_with_all_bytes(backup: dict[str, bytes]) -> None:
    store = MemoryObjectStore(clock=lambda: NOW)
    for name, data in backup.items():
        store.put(f"{KEY}/{name}", data)
    told: list[tuple[int, int]] = []
    prove_prefix(store, KEY, tell=lambda done, total: told.append((done, total)))
    size = sum(len(data) for data in bare(backup).values())
    assert told[-1] == (size, size)
