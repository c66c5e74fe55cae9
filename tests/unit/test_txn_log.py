"""Reading transaction logs: whole, cut, damaged, growing, and how each ends."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.persistence.damage import Damaged
from functions.persistence.log_end import Ending
from functions.persistence.log_summary import Run, summarize
from functions.persistence.txn_log import Record, TxnLog
from tests.unit.zookeeper_files import LOG_HEADER, SET_DATA, ZEROS, log_of, record

WHOLE, ALLOCATED, CUT, DAMAGED = Ending
FRAME = struct.Struct(">qi")
DATABASE_ID = range(8, 16)  # Nobody reads it.


class Stream(io.BytesIO):
    """What comes over a network cannot be sought."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation


def read(content: bytes, block: int = 256) -> list[int]:
    return [each.zxid for each in TxnLog(io.BytesIO(content), block=block)]


def ending(content: bytes, block: int = 256) -> Ending:
    log = TxnLog(io.BytesIO(content), block=block)
    assert list(log) is not None
    return log.end().ending


@pytest.mark.parametrize(
    ("content", "found", "end"),
    [
        pytest.param(b"", [], CUT, id="made-and-not-written"),
        pytest.param(LOG_HEADER[:5], [], CUT, id="header-cut"),
        pytest.param(LOG_HEADER, [], WHOLE, id="header-alone"),
        pytest.param(LOG_HEADER + ZEROS, [], ALLOCATED, id="allocated-ahead"),
        pytest.param(b"ZKSN" + log_of(1)[4:], [], DAMAGED, id="not-a-log"),
        pytest.param(b"ZKLG\0\0\0\3" + log_of(1)[8:], [], DAMAGED, id="a-newer-format"),
        pytest.param(log_of(1, 2, 3), [1, 2, 3], WHOLE, id="ends-with-the-file"),
        pytest.param(log_of(1, 2) + ZEROS, [1, 2], ALLOCATED, id="ends-with-zeros"),
        pytest.param(log_of(1) + ZEROS + record(2), [1], DAMAGED, id="more-behind-zeros"),
        pytest.param(log_of(1) + bytes(12) + record(2), [1], DAMAGED, id="a-frame-of-zeros"),
        pytest.param(log_of(1, 2) + record(3)[:-1] + ZEROS, [1, 2], CUT, id="no-end-byte"),
        pytest.param(log_of(1) + record(2)[:-1] + b"C", [1], DAMAGED, id="another-end-byte"),
        pytest.param(log_of(1, 2) + record(3)[:20], [1, 2], CUT, id="record-cut"),
        pytest.param(log_of(1) + record(2)[:20] + ZEROS, [1], CUT, id="record-cut-in-zeros"),
        pytest.param(log_of(1) + record(2)[:6], [1], CUT, id="frame-cut"),
        pytest.param(log_of(1) + record(2)[:11] + ZEROS, [1], CUT, id="length-cut"),
        pytest.param(
            log_of(1) + record(2)[:30] + ZEROS + record(3), [1], DAMAGED, id="more-behind-a-cut"
        ),
        pytest.param(
            log_of(1) + FRAME.pack(1, 0x7FFFFFFF) + bytes(99), [1], CUT, id="absurd-length"
        ),
        pytest.param(
            log_of(1) + FRAME.pack(1, 0x7FFFFFFF) + record(2)[12:] + record(3),
            [1], DAMAGED, id="absurd-length-in-the-middle",
        ),
        pytest.param(
            log_of(1) + FRAME.pack(1, 9999) + bytes(600) + record(2) + record(3) + bytes(900),
            [1], DAMAGED, id="absurd-length-far-before-a-record",
        ),
        pytest.param(
            log_of(1) + record(2, b"B" + FRAME.pack(5, 40) + bytes(40) + b"B" + bytes(50))[:-9],
            [1], CUT, id="cut-and-like-a-record-inside",
        ),
        pytest.param(log_of(1) + FRAME.pack(1, -5) + bytes(99), [1], DAMAGED, id="negative-length"),
        pytest.param(log_of(1) + FRAME.pack(1, 9) + bytes(99), [1], CUT, id="tiny-length"),
        pytest.param(
            log_of(1) + FRAME.pack(zlib.adler32(b"tiny"), 4) + b"tinyB",
            [1], DAMAGED, id="too-small-for-a-transaction",
        ),
        pytest.param(
            LOG_HEADER + record(0x1000000FF, bytes(200_000)), [0x1000000FF], WHOLE, id="large"
        ),
        pytest.param(
            log_of(1) + record(2, bytes(2000))[:-1] + b"\1", [1], DAMAGED, id="large-damaged"
        ),
        pytest.param(log_of(1) + record(2, bytes(2000))[:-9], [1], CUT, id="large-cut"),
    ],
)  # fmt: skip
def test_a_log_is_read_to_its_last_complete_record_and_says_why(
    content: bytes, found: list[int], end: Ending
) -> None:
    assert (read(content), ending(content)) == (found, end)


@pytest.mark.parametrize("block", range(40, 140))
def test_a_record_behind_damage_is_found_wherever_blocks_end(block: int) -> None:
    content = log_of(1) + FRAME.pack(1, 0x7FFFFFFF) + bytes(50) + b"xB" + record(2) + b"x"
    assert ending(content, block) == DAMAGED
    assert ending(content[: -len(record(2)) - 1], block) == CUT


@pytest.mark.parametrize(
    ("content", "end"),
    [
        pytest.param(b"", CUT, id="empty"),
        pytest.param(log_of(1, 2), WHOLE, id="whole"),
        pytest.param(log_of(1, 2) + ZEROS, ALLOCATED, id="allocated"),
        pytest.param(log_of(1, 2)[:-1], DAMAGED, id="cut"),
        pytest.param(LOG_HEADER + record(1, bytes(2000)), WHOLE, id="large"),
        pytest.param(LOG_HEADER + record(1, bytes(2000))[:-1], DAMAGED, id="large-cut"),
        pytest.param(log_of(1) + ZEROS + b"x", DAMAGED, id="more-behind-zeros"),
        pytest.param(b"ZKSN" + log_of(1)[4:], DAMAGED, id="not-a-log"),
    ],
)
def test_a_stream_that_cannot_be_sought_is_read_as_well(content: bytes, end: Ending) -> None:
    log = TxnLog(Stream(content), block=256)
    assert [each.zxid for each in log] == read(content)
    assert log.end().ending == end


def test_each_record_is_known_with_its_place() -> None:
    content = log_of(7) + record(8, b"rest", type=-1, session=-3)
    _, found = TxnLog(io.BytesIO(content))
    assert found == Record(len(log_of(7)), 36, -3, 7, 8, 1_700_000_000_000, -1)
    assert content[found.offset : found.end] == record(8, b"rest", type=-1, session=-3)


@given(sizes=st.lists(st.integers(0, 700), max_size=8), block=st.integers(64, 900))
def test_what_is_kept_of_each_record_is_the_whole_transaction(sizes: list[int], block: int) -> None:
    records = [record(n, bytes([n]) * size) for n, size in enumerate(sizes, start=1)]
    log = TxnLog(io.BytesIO(LOG_HEADER + b"".join(records)), block=block, keep=True)
    kept = [bytes(log.payload or b"") for _ in log]
    assert kept == [each[12:-1] for each in records]


@given(cut=st.integers(0, 600), zeros=st.integers(0, 300), block=st.integers(64, 700))
def test_a_log_cut_anywhere_gives_exactly_the_records_before_the_cut(
    cut: int, zeros: int, block: int
) -> None:
    whole = log_of(*range(1, 9))
    kept = whole[:cut]
    ends = [len(log_of(*range(1, count + 1))) for count in range(9)]
    complete = sum(end <= len(kept) for end in ends[1:])
    # No zero ends a record, so a tail of zeros never makes one whole.
    assert read(kept, block) == read(kept + bytes(zeros), block) == list(range(1, complete + 1))
    begun = kept[max(end for end in [0, *ends] if end <= len(kept)) :]
    # A record begins with four zeros: its checksum is written as 8 bytes and has 4.
    expected = CUT if len(kept) < len(LOG_HEADER) or any(begun) else ALLOCATED if begun else WHOLE
    assert ending(kept, block) == expected
    if len(kept) >= len(LOG_HEADER):
        assert ending(kept + bytes(4096), block) == (CUT if expected is CUT else ALLOCATED)


@given(st.data())
def test_a_changed_byte_ends_the_log_before_its_record_and_is_found(data: st.DataObject) -> None:
    count, tail = 8, data.draw(st.sampled_from([b"", bytes(500)]))
    whole = log_of(*range(1, count + 1)) + tail
    at = data.draw(st.integers(0, len(whole) - 1).filter(lambda at: at not in DATABASE_ID))
    damaged = bytearray(whole)
    damaged[at] ^= data.draw(st.integers(1, 255))
    before = sum(len(log_of(*range(1, n + 1))) <= at for n in range(1, count + 1))
    if at < len(LOG_HEADER):
        before = 0
    assert read(bytes(damaged)) == list(range(1, before + 1))
    assert ending(bytes(damaged)) in (CUT, DAMAGED)
    # With a whole record behind it, it is no cut end.
    if before < count - 1:
        assert ending(bytes(damaged)) == DAMAGED


@given(st.binary(max_size=400))
def test_whatever_follows_a_log_never_hides_what_is_before_it(rest: bytes) -> None:
    assert read(log_of(1, 2, 3) + rest)[:3] == [1, 2, 3]


def test_reading_goes_on_when_the_file_has_grown() -> None:
    file = io.BytesIO(log_of(1, 2) + record(3)[:20] + bytes(60))
    log = TxnLog(file, block=64)
    assert [each.zxid for each in log] == [1, 2]
    assert log.end().ending == CUT
    file.seek(len(log_of(1, 2)))
    file.write(record(3) + record(4, bytes(200)))
    assert [each.zxid for each in log] == [3, 4]
    assert log.end().ending == WHOLE


def test_reading_begins_when_there_is_a_header() -> None:
    file = io.BytesIO()
    log = TxnLog(file)
    assert [*log] == []
    file.write(log_of(1))
    assert [each.zxid for each in log] == [1]


E = 1 << 32


@pytest.mark.parametrize(
    ("zxids", "runs"),
    [
        pytest.param([], [], id="empty"),
        pytest.param([1], [(1, 1)], id="the-very-first"),
        pytest.param([5, 6, 7], [(5, 7)], id="one-run"),
        pytest.param([5, 6, 8, 9], [(5, 6), (8, 9)], id="one-is-missing"),
        pytest.param([5, E + 1, E + 2], [(5, E + 2)], id="a-new-leader-starts-with-1"),
        pytest.param([5, 4 * E + 1], [(5, 4 * E + 1)], id="epochs-without-a-transaction"),
        pytest.param([5, E + 2], [(5, 5), (E + 2, E + 2)], id="a-new-leader-lacks-its-first"),
        pytest.param([E + 5, 1], [(E + 5, E + 5), (1, 1)], id="an-older-epoch"),
        pytest.param([5, 5, 6], [(5, 5), (5, 6)], id="once-more"),
    ],
)
def test_a_summary_holds_the_unbroken_runs(zxids: list[int], runs: list[tuple[int, int]]) -> None:
    content = log_of(*zxids)
    found = summarize(TxnLog(io.BytesIO(content + ZEROS)))
    assert found.runs == tuple(Run(*run) for run in runs)
    assert (found.transactions, found.size) == (len(zxids), len(content))
    assert found.end is not None
    assert found.end.is_sound


@given(until=st.integers(0, 30), zeros=st.sampled_from([0, 50, 5000]))
def test_the_bytes_up_to_a_transaction_are_a_log_of_exactly_those(until: int, zeros: int) -> None:
    content = log_of(*range(3, 20)) + bytes(zeros)
    found = summarize(TxnLog(io.BytesIO(content), block=200), until)
    assert content[: found.size] == log_of(*range(3, min(until, 19) + 1))
    assert (found.end is None) == (until < 19)


def test_records_in_no_order_are_refused_before_they_fill_the_memory() -> None:
    content = LOG_HEADER + b"".join(record(n, type=SET_DATA) for n in range(10_000, 0, -2))
    with pytest.raises(Damaged, match="no order at all"):
        summarize(TxnLog(io.BytesIO(content)))
