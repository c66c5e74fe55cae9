"""Reading snapshots: what they hold, what seals them, and that every changed byte is found."""

from __future__ import annotations

import gzip
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.persistence.compression import plain
from functions.persistence.damage import Damaged
from functions.persistence.digest import node_digest, tree_digest
from functions.persistence.jute import Acl
from functions.persistence.snapshot import Snapshot, Trailer, TreeDigest
from functions.persistence.snapshot_summary import SnapshotSummary, summarize_snapshot
from functions.persistence.stat import STAT, Stat, stat_of
from tests.unit.zookeeper_files import (
    NEW,
    OPEN,
    SNAPSHOT_HEADER,
    node,
    number,
    sealed,
    snapshot_of,
    text,
)

ALICE = (Acl(1, "digest", "alice:x"), Acl(31, "ip", "10.0.0.1"))
NODES = (
    node("", b"root"),
    node("/zookeeper", b""),
    node("/a", b"x" * 300, acl=7),
    node("/a/b", None, stat=NEW._replace(pzxid=9)),
    node("/a/b/ü", b"\0", acl=8),
    node("/c", b""),
)
DIGEST = -1234567
WHOLE = snapshot_of(
    *NODES, sessions={5: 4000, -6: 30000}, acl_cache={7: ALICE}, digest=(9, 2, DIGEST), last_zxid=9
)
STAT_OF_TEN = Stat(1, 2, 3, 4, 5, 6, 7, 8, 9)


def opened(content: bytes, compression: str = "", block: int = 64) -> Snapshot:
    return Snapshot(io.BytesIO(content), compression, block=block)


def summary(content: bytes, compression: str = "", block: int = 64) -> SnapshotSummary:
    return summarize_snapshot(opened(content, compression, block))


def test_a_snapshot_gives_its_sessions_acls_nodes_and_what_seals_it() -> None:
    snapshot = opened(WHOLE)
    found = list(snapshot)
    assert snapshot.sessions == {5: 4000, -6: 30000}
    assert [(path.decode(), data) for path, data, _, _ in found] == [
        ("", b"root"),
        ("/zookeeper", b""),
        ("/a", b"x" * 300),
        ("/a/b", None),
        ("/a/b/ü", b"\0"),
        ("/c", b""),
    ]
    assert [snapshot.acl(number) for _, _, number, _ in found] == [
        OPEN,
        OPEN,
        ALICE,
        OPEN,
        None,
        OPEN,
    ]
    assert [stat_of(stat).pzxid for _, _, _, stat in found] == [1, 1, 1, 9, 1, 1]
    assert snapshot.trailer == Trailer(TreeDigest(9, 2, DIGEST), 9)


@given(block=st.integers(1, 700))
def test_the_size_of_a_block_changes_nothing(block: int) -> None:
    assert summary(WHOLE, block=block) == summary(WHOLE)


def test_the_numbers_of_a_node_are_read_in_their_stored_order() -> None:
    (found,) = opened(snapshot_of(node("", b"", stat=STAT_OF_TEN)))
    assert found == (b"", b"", -1, STAT.pack(*STAT_OF_TEN))
    assert stat_of(found[3]) == STAT_OF_TEN
    assert stat_of(found[3]).owner == 8


@pytest.mark.parametrize(
    ("content", "trailer"),
    [
        pytest.param(snapshot_of(*NODES), Trailer(None, None), id="before-3.6"),
        pytest.param(
            snapshot_of(*NODES, digest=(9, 2, 4)), Trailer(TreeDigest(9, 2, 4), None), id="3.6"
        ),
        pytest.param(snapshot_of(*NODES, last_zxid=9), Trailer(None, 9), id="digest-switched-off"),
        pytest.param(
            snapshot_of(*NODES, digest=(0, 2, 0), last_zxid=0), Trailer(None, 0), id="first-start"
        ),
    ],
)
def test_each_version_seals_in_its_own_way(content: bytes, trailer: Trailer) -> None:
    assert summary(content).trailer == trailer


def test_a_summary_counts_what_was_read() -> None:
    found = summary(WHOLE)
    assert (found.sessions, found.nodes, found.nodes_without_acl) == (2, 6, 1)
    assert found.newest_change == 9


def test_the_digest_is_a_sum_over_all_nodes_outside_zookeepers_own() -> None:
    stat = STAT.pack(*NEW)
    expected = node_digest(b"", b"r", stat) + node_digest(b"/a", None, stat)
    content = snapshot_of(
        node("", b"r"), node("/zookeeper/config", b"1"), node("/a", None), digest=(1, 2, expected)
    )
    with pytest.raises(Damaged):
        summary(content)  # The parent of /zookeeper/config is missing.
    expected += node_digest(b"/zookeeper", b"", stat)
    whole = (node("", b"r"), node("/zookeeper"), node("/zookeeper/config", b"1"), node("/a", None))
    assert summary(snapshot_of(*whole)).tree_digest == expected
    assert summary(snapshot_of(*whole, digest=(1, 2, expected))).is_proven
    assert summary(snapshot_of(*whole, digest=(1, 2, expected + 1))).is_proven is False
    assert summary(snapshot_of(*whole, digest=(1, 3, expected))).is_proven is None
    assert summary(snapshot_of(*whole)).is_proven is None


def test_the_digest_is_kept_in_64_bits_with_a_sign() -> None:
    assert tree_digest((1 << 63) + 5) == -(1 << 63) + 5
    assert tree_digest(-1) == -1
    assert tree_digest((1 << 64) + 3) == 3


@pytest.mark.parametrize(
    ("content", "zxid", "reaches"),
    [
        pytest.param(snapshot_of(node("")), 5, 5, id="at-rest"),
        pytest.param(snapshot_of(node(""), last_zxid=8), 5, 8, id="the-last-zxid-is-later"),
        pytest.param(snapshot_of(node(""), digest=(7, 2, 1)), 5, 7, id="the-digest-is-later"),
        pytest.param(snapshot_of(node("", stat=NEW._replace(pzxid=6))), 5, 6, id="a-node-is-later"),
        pytest.param(
            snapshot_of(node(""), digest=(4, 2, 1), last_zxid=5), 5, 5, id="a-new-leader-took-it"
        ),
    ],
)
def test_what_was_changed_while_it_was_written_needs_the_log(
    content: bytes, zxid: int, reaches: int
) -> None:
    assert summary(content).reaches(zxid) == reaches


BODY = SNAPSHOT_HEADER + number(0) + number(0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "cut", id="empty"),
        pytest.param(b"ZKLG" + WHOLE[4:], "no snapshot", id="a-log"),
        pytest.param(WHOLE[:4] + number(3) + WHOLE[8:], "version 3", id="a-newer-format"),
        pytest.param(WHOLE + b"\0", "behind its seal", id="more-behind-the-seal"),
        pytest.param(sealed(BODY + number(-2)), "length of -2", id="a-path-of-negative-length"),
        pytest.param(
            sealed(BODY + text("") + number(-2) + bytes(90)), "length of -2", id="negative-data"
        ),
        pytest.param(
            BODY + text("") + number(0x7FFFFFFF) + bytes(3000), "more than 2000", id="huge-data"
        ),
        pytest.param(BODY + number(0x7FFFFFFF) + bytes(3000), "more than 2000", id="huge-path"),
        pytest.param(snapshot_of(node(""), node("/a/b")), "parent of /a/b", id="an-orphan"),
        pytest.param(snapshot_of(node("/a")), "parent of /a ", id="no-root-but-more"),
        pytest.param(snapshot_of(), "not even a root", id="no-root"),
        pytest.param(
            snapshot_of(node(""), node("/ab"), node("/a/b")), "parent of /a/b", id="a-likeness"
        ),
        pytest.param(
            sealed(BODY + text("/"))[:-1] + b"x", "does not end", id="a-seal-that-ends-otherwise"
        ),
    ],
)
def test_what_is_no_snapshot_is_refused_with_a_reason(content: bytes, message: str) -> None:
    with pytest.raises(Damaged, match=message):
        summarize_snapshot(Snapshot(io.BytesIO(content), block=100, largest=2000))


@given(cut=st.integers(0, len(WHOLE) - 1))
def test_a_snapshot_cut_anywhere_is_refused_but_where_an_older_one_would_end(cut: int) -> None:
    # Behind each seal it is a whole snapshot of an older version: only its size could tell.
    whole = {len(WHOLE) - 21, len(WHOLE) - 21 - 33}
    if cut in whole:
        assert summary(WHOLE[:cut]).nodes == 6
    else:
        with pytest.raises(Damaged):
            summary(WHOLE[:cut])


@pytest.mark.parametrize("flip", [1, 0x80, 0xFF])
def test_every_changed_byte_of_a_snapshot_is_found(flip: int) -> None:
    for at in range(len(WHOLE)):
        with pytest.raises(Damaged):
            summary(WHOLE[:at] + bytes([WHOLE[at] ^ flip]) + WHOLE[at + 1 :])


GZIP = gzip.compress(WHOLE, mtime=0)


def test_a_snapshot_packed_by_gzip_is_the_same() -> None:
    assert summary(GZIP, "gz") == summary(WHOLE)


@given(at=st.integers(0, len(GZIP) - 1), flip=st.integers(1, 255))
def test_a_changed_byte_of_a_packed_snapshot_is_found_or_changes_nothing(
    at: int, flip: int
) -> None:
    # Of gzip's header only the first four bytes are read, and there is more than one way to pack.
    try:
        found = summary(GZIP[:at] + bytes([GZIP[at] ^ flip]) + GZIP[at + 1 :], "gz")
    except Damaged:
        return
    assert found == summary(WHOLE)


@given(cut=st.integers(0, len(GZIP) - 1))
def test_a_packed_snapshot_cut_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(Damaged):
        summary(GZIP[:cut], "gz")


def snappy(*chunks: bytes) -> bytes:
    head = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
    return head + b"".join(number(len(chunk)) + chunk for chunk in chunks)


def literal(content: bytes) -> bytes:
    """Return bytes as snappy writes what repeats nothing."""
    return bytes([61 << 2]) + (len(content) - 1).to_bytes(2, "little") + content


def varint(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80, value >> 7]) if value > 127 else bytes([value])


def test_a_snapshot_packed_by_snappy_is_the_same() -> None:
    half = len(WHOLE) // 2
    chunks = [varint(len(each)) + literal(each) for each in (WHOLE[:half], WHOLE[half:])]
    assert summary(snappy(*chunks), "snappy") == summary(WHOLE)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        pytest.param(bytes([2 << 2]) + b"abc", b"abc", id="short-literal"),
        pytest.param(literal(b"abc" * 50), b"abc" * 50, id="long-literal"),
        pytest.param(bytes([0]) + b"a" + bytes([1 | 3 << 2, 1]), b"a" * 8, id="copy-of-itself"),
        pytest.param(
            bytes([2 << 2]) + b"abc" + bytes([2 | 1 << 2, 3, 0]), b"abcab", id="copy-2-bytes"
        ),
        pytest.param(
            bytes([2 << 2]) + b"abc" + bytes([3 | 1 << 2, 2, 0, 0, 0]), b"abcbc", id="copy-4-bytes"
        ),
    ],
)
def test_what_snappy_does_is_undone(elements: bytes, expected: bytes) -> None:
    packed = snappy(varint(len(expected)) + elements)
    assert unpacked(packed) == expected


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"x" * 40, id="no-snappy"),
        pytest.param(snappy(b""), id="nothing-in-a-chunk"),
        pytest.param(snappy(varint(9) + literal(b"abc")), id="less-than-announced"),
        pytest.param(snappy(varint(1) + literal(b"abc")), id="more-than-announced"),
        pytest.param(snappy(varint(9) + bytes([2, 5, 0])), id="a-copy-from-before-the-start"),
        pytest.param(snappy(varint(9) + bytes([1])), id="a-copy-that-is-cut"),
        pytest.param(snappy(b"\xff" * 9), id="a-length-without-an-end"),
        pytest.param(snappy(varint(3) + literal(b"abc"))[:-1], id="cut"),
        pytest.param(snappy()[:] + b"\0\0", id="cut-in-a-length"),
    ],
)
def test_what_snappy_did_not_write_is_refused(content: bytes) -> None:
    with pytest.raises(Damaged):
        unpacked(content)


def unpacked(content: bytes) -> bytes:
    chunks = plain(io.BytesIO(content), "snappy")
    return b"".join(iter(lambda: chunks.read(1), b""))


def test_an_unknown_compression_is_refused() -> None:
    with pytest.raises(Damaged, match="zip is no compression"):
        opened(WHOLE, "zip")


def test_a_snapshot_is_read_once() -> None:
    snapshot = opened(WHOLE)
    summarize_snapshot(snapshot)
    with pytest.raises(Damaged):
        summarize_snapshot(snapshot)


def test_the_halves_of_a_rare_character_are_kept_apart_as_java_writes_them() -> None:
    halves = "\ud83d\ude00".encode("utf-8", "surrogatepass")
    content = snapshot_of(node(""), acl_cache={1: (Acl(1, "x", "y"),)})
    content = content.replace(text("y"), number(len(halves)) + halves)
    assert opened(content).acls == {1: (Acl(1, "x", "\ud83d\ude00"),)}
