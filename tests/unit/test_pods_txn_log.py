"""How far a server's files go: whole, cut, damaged and half-written ones."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.pods.txn_log import last_zxid, zxids

HEADER = b"ZKLG" + struct.pack(">iq", 2, 0)
ZEROS = bytes(4096)
WHOLE_SNAPSHOT = b"ZKSN" + bytes(60) + b"\x00\x00\x00\x01/"


def record(zxid: int, payload: bytes = b"") -> bytes:
    """Return one transaction as ZooKeeper writes it: its header (client, cxid, zxid, ...), rest."""
    content = struct.pack(">qiqqi", 0x1234, 7, zxid, 1_700_000_000_000, 1) + payload
    return struct.pack(">qi", zlib.adler32(content), len(content)) + content + b"B"


def log_of(*numbers: int) -> bytes:
    return HEADER + b"".join(record(number, bytes([number % 251]) * 30) for number in numbers)


def read(content: bytes) -> list[int]:
    return list(zxids(io.BytesIO(content)))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param(b"", [], id="made-and-not-written"),
        pytest.param(HEADER[:9], [], id="header-cut"),
        pytest.param(HEADER, [], id="header-alone"),
        pytest.param(HEADER + ZEROS, [], id="allocated-ahead"),
        pytest.param(b"ZKSN" + HEADER[4:] + record(1), [], id="not-a-log"),
        pytest.param(log_of(1, 2, 3), [1, 2, 3], id="ends-with-the-file"),
        pytest.param(log_of(1, 2) + ZEROS, [1, 2], id="ends-with-zeros"),
        pytest.param(log_of(1, 2) + record(3)[:-1] + ZEROS, [1, 2], id="no-end-byte"),
        pytest.param(log_of(1, 2) + record(3)[:20], [1, 2], id="record-cut"),
        pytest.param(
            log_of(1) + struct.pack(">qi", 1, 0x7FFFFFFF) + bytes(99), [1], id="absurd-length"
        ),
        pytest.param(log_of(1) + struct.pack(">qi", 1, -5) + bytes(99), [1], id="negative-length"),
        pytest.param(HEADER + record(0x1000000FF, bytes(200_000)), [0x1000000FF], id="large"),
    ],
)
def test_a_log_is_read_to_its_last_complete_record(content: bytes, found: list[int]) -> None:
    assert read(content) == found


@given(cut=st.integers(0, 600), zeros=st.integers(0, 300))
def test_a_log_cut_anywhere_gives_exactly_the_records_before_the_cut(cut: int, zeros: int) -> None:
    whole = log_of(*range(1, 9))
    kept = whole[:cut]
    ends = [len(log_of(*range(1, count + 1))) for count in range(1, 9)]
    complete = sum(end <= len(kept) for end in ends)
    # No zero ends a record, so a tail of zeros never makes one whole.
    assert read(kept) == read(kept + bytes(zeros)) == list(range(1, complete + 1))


@given(st.data())
def test_a_flipped_bit_ends_the_log_before_the_record_it_is_in(data: st.DataObject) -> None:
    count = 8
    whole = log_of(*range(1, count + 1))
    at = data.draw(st.integers(len(HEADER), len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    before = sum(len(log_of(*range(1, n + 1))) <= at for n in range(1, count + 1))
    assert read(bytes(damaged)) == list(range(1, before + 1))


@given(st.binary(max_size=400))
def test_whatever_follows_a_log_never_hides_what_is_before_it(rest: bytes) -> None:
    assert read(log_of(1, 2, 3) + rest)[:3] == [1, 2, 3]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"acceptedEpoch": b"1"}, None, id="epochs-alone"),
        pytest.param({"snapshot.10000000a": WHOLE_SNAPSHOT}, 0x10000000A, id="snapshot-alone"),
        pytest.param({"log.100000001": log_of(5, 6)}, 6, id="log-alone"),
        pytest.param(
            {"snapshot.5": WHOLE_SNAPSHOT, "log.1": log_of(1, 2, 9)}, 9, id="log-goes-further"
        ),
        pytest.param(
            {"snapshot.20": WHOLE_SNAPSHOT, "log.1": log_of(1, 2)}, 0x20, id="copied-from-a-leader"
        ),
        pytest.param(
            {"snapshot.5": WHOLE_SNAPSHOT, "snapshot.30": WHOLE_SNAPSHOT[:40]},
            5, id="newest-snapshot-is-cut",
        ),
        pytest.param(
            {"log.1": log_of(1, 2), "log.3": HEADER + ZEROS}, 2, id="newest-log-holds-nothing-yet"
        ),
        pytest.param(
            {"log.f": log_of(15), "log.10": log_of(16)}, 16, id="ordered-by-number-not-by-name"
        ),
        pytest.param({"snapshot.7.gz": b"\x1f\x8bdata"}, 7, id="gzip"),
        pytest.param({"snapshot.7.gz": b"data"}, None, id="no-gzip"),
        pytest.param({"snapshot.7.snappy": b"\x82SNAPPY\x00data"}, 7, id="snappy"),
        pytest.param(
            {"snapshot.x": WHOLE_SNAPSHOT, "log.1.bak": log_of(1)}, None, id="other-names"
        ),
    ],
)  # fmt: skip
def test_the_last_transaction_on_disk(
    tmp_path: Path, files: dict[str, bytes], found: int | None
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert last_zxid(tmp_path, tmp_path) == found


def test_snapshots_and_logs_may_have_folders_of_their_own(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    assert last_zxid(data, log) is None, "neither is there before the first start"
    data.mkdir()
    log.mkdir()
    (data / "snapshot.5").write_bytes(WHOLE_SNAPSHOT)
    (log / "log.6").write_bytes(log_of(6, 7))
    assert last_zxid(data, log) == 7
