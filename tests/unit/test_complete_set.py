"""Which files make a complete state, and the exact gaps of those that do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.persistence.complete_set import (
    CompleteSet,
    Gap,
    ReadLog,
    ReadSnapshot,
    complete_set,
)
from functions.persistence.file_names import FileName, parse
from functions.persistence.log_end import Ending, LogEnd
from functions.persistence.log_summary import LogSummary, Run
from functions.persistence.snapshot import Trailer
from functions.persistence.snapshot_summary import SnapshotSummary
from functions.persistence.zxid import epoch, follows

E = 1 << 32


def snapshot(zxid: int, reaches: int = 0) -> ReadSnapshot:
    summary = SnapshotSummary(0, 1, 0, reaches, 0, Trailer(None, None))
    return ReadSnapshot(named(f"snapshot.{zxid:x}"), summary)


def log(*runs: tuple[int, int], name: int | None = None, end: Ending = Ending.WHOLE) -> ReadLog:
    start = name if name is not None else runs[0][0]
    summary = LogSummary(tuple(Run(*run) for run in runs), 1, 99, LogEnd(end, 99))
    return ReadLog(named(f"log.{start:x}"), summary)


def named(text: str) -> FileName:
    name = parse(text)
    assert name is not None
    return name


def gaps(found: CompleteSet) -> list[tuple[int, int | None, str]]:
    return [(gap.after, gap.before, gap.file) for gap in found.gaps]


@pytest.mark.parametrize(
    ("snapshots", "logs", "chosen", "names", "zxid"),
    [
        pytest.param([5], [], "snapshot.5", [], 5, id="a-snapshot-alone"),
        pytest.param([5], [log((1, 5))], "snapshot.5", [], 5, id="a-log-that-adds-nothing"),
        pytest.param([5], [log((1, 9))], "snapshot.5", ["log.1"], 9, id="the-log-it-lies-in"),
        pytest.param([5], [log((1, 5)), log((6, 9))], "snapshot.5", ["log.6"], 9, id="the-next"),
        pytest.param(
            [0], [log((1, 3)), log((4, 9))], "snapshot.0", ["log.1", "log.4"], 9, id="all-of-them"
        ),
        pytest.param([5, 16], [log((1, 20))], "snapshot.10", ["log.1"], 20, id="the-newest"),
        pytest.param(
            [9], [log((1, 4)), log((7, 12))], "snapshot.9", ["log.7"], 12, id="a-gap-from-before-it"
        ),
        pytest.param(
            [9], [log((1, 4), (7, 12))], "snapshot.9", ["log.1"], 12, id="a-gap-from-before-in-it"
        ),
        pytest.param(
            [2 * E], [log((E + 1, E + 4)), log((2 * E + 1, 2 * E + 2))],
            "snapshot.200000000", ["log.200000001"], 2 * E + 2, id="taken-by-a-new-leader",
        ),
        pytest.param(
            [E + 4], [log((E + 1, E + 6)), log((4 * E + 1, 4 * E + 1))], "snapshot.100000004",
            ["log.100000001", "log.400000001"], 4 * E + 1, id="over-a-change-of-leaders",
        ),
        pytest.param(
            [5], [log((1, 9)), log(name=10, end=Ending.ALLOCATED)], "snapshot.5", ["log.1"], 9,
            id="a-log-without-a-transaction",
        ),
        pytest.param(
            [5], [log((1, 9), end=Ending.CUT), log((10, 12))], "snapshot.5", ["log.1", "log.a"], 12,
            id="a-write-was-cut-and-made-again",
        ),
        pytest.param(
            [9], [log((1, 4), end=Ending.DAMAGED), log((6, 12))], "snapshot.9", ["log.6"], 12,
            id="damage-from-before-it",
        ),
        pytest.param(
            [3, (9, 15)], [log((1, 12))], "snapshot.3", ["log.1"], 12,
            id="the-newest-was-still-being-written",
        ),
    ],
)  # fmt: skip
def test_the_files_of_a_complete_state(
    snapshots: list[int | tuple[int, int]],
    logs: list[ReadLog],
    chosen: str,
    names: list[str],
    zxid: int,
) -> None:
    read = [snapshot(*each) if isinstance(each, tuple) else snapshot(each) for each in snapshots]
    found = complete_set(read, reversed(logs))
    assert found.is_complete, found.gaps
    assert found.snapshot is not None
    assert found.snapshot.text == chosen
    assert [log.text for log in found.logs] == names
    assert found.zxid == zxid


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        pytest.param([log((7, 9))], [(5, 7, "log.7")], id="right-behind-the-snapshot"),
        pytest.param([log((1, 6)), log((8, 9))], [(6, 8, "log.8")], id="between-logs"),
        pytest.param([log((1, 6), (8, 9))], [(6, 8, "log.1")], id="within-a-log"),
        pytest.param(
            [log((4, 7)), log((E + 2, E + 3))], [(7, E + 2, "log.100000002")], id="a-leaders-first"
        ),
        pytest.param(
            [log((4, 7), end=Ending.DAMAGED)], [(7, None, "log.4")], id="damage-at-the-end"
        ),
        pytest.param(
            [log((4, 7), end=Ending.DAMAGED), log((E + 1, E + 1))], [(7, None, "log.4")],
            id="damage-before-a-new-leader",
        ),
        pytest.param(
            [log((4, 7)), log(name=8, end=Ending.DAMAGED)], [(7, None, "log.8")], id="all-is-damage"
        ),
        pytest.param(
            [log((1, 3), end=Ending.DAMAGED)], [(5, None, "log.1")], id="damage-hides-the-newest"
        ),
        pytest.param([log((4, 9)), log((8, 12))], [(9, 8, "log.8")], id="transactions-come-again"),
        pytest.param([log((4, 9), (2, 3))], [(9, 2, "log.4")], id="old-transactions-come-again"),
        pytest.param([log((6, 9), name=8)], [(5, 6, "log.8")], id="a-name-that-is-wrong"),
    ],
)  # fmt: skip
def test_a_gap_is_said_exactly(
    logs: list[ReadLog], expected: list[tuple[int, int | None, str]]
) -> None:
    found = complete_set([snapshot(5)], logs)
    assert not found.is_complete
    assert gaps(found) == expected


def test_a_snapshot_that_no_log_completes_is_no_state() -> None:
    found = complete_set([snapshot(5, reaches=12)], [log((1, 9))])
    assert gaps(found) == [(9, None, "snapshot.5")]
    assert "0xc" in str(found.gaps[0])


def test_without_a_snapshot_there_is_nothing() -> None:
    found = complete_set([], [log((1, 9))])
    assert found == CompleteSet(None, (), 0, ())
    assert not found.is_complete


def test_a_gap_reads_as_a_sentence() -> None:
    gap = Gap(0x10, 0x20, "log.20", "transactions are missing before these")
    assert str(gap) == "log.20: transactions are missing before these (behind 0x10 and before 0x20)"


@pytest.mark.parametrize(
    ("before", "zxid", "expected"),
    [
        pytest.param(0, 1, True, id="the-very-first"),
        pytest.param(E + 5, E + 6, True, id="the-next"),
        pytest.param(E + 5, E + 7, False, id="one-is-left-out"),
        pytest.param(E + 5, E + 5, False, id="the-same"),
        pytest.param(E + 5, 2 * E + 1, True, id="a-new-leader"),
        pytest.param(E + 5, 2 * E, False, id="an-epochs-own-number"),
        pytest.param(E + 5, 2 * E + 2, False, id="a-new-leaders-second"),
        pytest.param(2 * E, 2 * E + 1, True, id="behind-an-epochs-own-number"),
        pytest.param(2 * E + 5, E + 1, False, id="an-older-leader"),
    ],
)
def test_what_can_be_the_next_transaction(before: int, zxid: int, expected: bool) -> None:
    assert follows(zxid, before) is expected


@given(st.data())
def test_leaving_any_log_out_but_the_last_is_found(data: st.DataObject) -> None:
    ends = data.draw(st.lists(st.integers(1, 60), min_size=3, max_size=8, unique=True).map(sorted))
    at = data.draw(st.integers(0, ends[0]))
    logs = [log((a + 1, b)) for a, b in zip([0, *ends], ends, strict=False)]
    assert complete_set([snapshot(at)], logs).is_complete
    needed = complete_set([snapshot(at)], logs).logs
    for name in needed[:-1]:
        left = [each for each in logs if each.name != name]
        assert not complete_set([snapshot(at)], left).is_complete


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("log.1a", FileName("log.1a", "log", 0x1A)),
        ("snapshot.100000001", FileName("snapshot.100000001", "snapshot", E + 1)),
        ("snapshot.5.gz", FileName("snapshot.5.gz", "snapshot", 5, "gz")),
        ("snapshot.5.snappy", FileName("snapshot.5.snappy", "snapshot", 5, "snappy")),
        ("log.1.gz", None),
        ("snapshot.5.zip", None),
        ("snapshot.", None),
        ("log.1A", None),
        ("currentEpoch", None),
        ("log.1/../x", None),
        ("log.1\n", None),
    ],
)
def test_names(text: str, found: FileName | None) -> None:
    assert parse(text) == found
    assert found is None or epoch(found.zxid) in (0, 1)
