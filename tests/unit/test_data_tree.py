"""The tree that transactions make, also on a snapshot that holds some of them already."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.persistence.damage import Damaged
from functions.persistence.data_tree import DataTree, Node, tree_of
from functions.persistence.jute import Acl
from functions.persistence.snapshot import Snapshot
from functions.persistence.stat import CONTAINER_OWNER, Stat, is_session, ttl_owner
from functions.persistence.txn import (
    Check,
    CloseSession,
    Create,
    CreateSession,
    Delete,
    Failed,
    Multi,
    Operation,
    SetAcl,
    SetData,
    Transaction,
    decode,
)
from functions.persistence.txn_log import TxnLog
from tests.unit.zookeeper_files import (
    CHECK,
    CLOSE_SESSION,
    CREATE,
    CREATE2,
    CREATE_CONTAINER,
    CREATE_SESSION,
    CREATE_TTL,
    DELETE,
    DELETE_CONTAINER,
    ERROR,
    LOG_HEADER,
    MULTI,
    OPEN,
    RECONFIG,
    SET_ACL,
    SET_DATA,
    acls,
    buffer,
    long,
    node,
    number,
    record,
    snapshot_of,
    text,
)

SESSION = 0x1234
ALICE = (Acl(31, "digest", "alice:x"),)
DIGEST = number(2) + long(-5)
A_CREATE = text("/a") + buffer(b"d") + acls(ALICE)


def transaction(type: int, body: bytes, zxid: int = 9) -> Transaction:
    log = TxnLog(io.BytesIO(LOG_HEADER + record(zxid, body, type, SESSION)), keep=True)
    (found,) = log
    return decode(found, log.payload or b"")


@pytest.mark.parametrize(
    ("type", "body", "operation"),
    [
        (CREATE, A_CREATE + b"\0" + number(3), Create("/a", b"d", ALICE, 0, 3, True)),
        (CREATE, A_CREATE + b"\1" + number(3), Create("/a", b"d", ALICE, SESSION, 3, True)),
        (CREATE, A_CREATE + b"\0", Create("/a", b"d", ALICE, 0, -1, True)),
        (CREATE2, A_CREATE + b"\0" + number(3), Create("/a", b"d", ALICE, 0, 3, False)),
        (
            CREATE_TTL,
            A_CREATE + number(3) + long(500),
            Create("/a", b"d", ALICE, 500 - (1 << 56), 3, False),
        ),
        (CREATE_CONTAINER, A_CREATE + number(3), Create("/a", b"d", ALICE, -(1 << 63), 3, False)),
        (DELETE, text("/a"), Delete("/a")),
        (DELETE_CONTAINER, text("/a"), Delete("/a")),
        (SET_DATA, text("/a") + buffer(None) + number(4), SetData("/a", None, 4)),
        (RECONFIG, text("/a") + buffer(b"x") + number(4), SetData("/a", b"x", 4)),
        (SET_ACL, text("/a") + acls(ALICE) + number(2), SetAcl("/a", ALICE, 2)),
        (CHECK, text("/a") + number(2), Check("/a", 2)),
        (ERROR, number(-101), Failed(-101)),
        (CREATE_SESSION, number(4000), CreateSession(4000)),
        (CLOSE_SESSION, b"", CloseSession(())),
        (CLOSE_SESSION, number(2) + text("/e") + text("/f"), CloseSession(("/e", "/f"))),
        (
            MULTI,
            number(2) + number(DELETE) + buffer(text("/a")) + number(ERROR) + buffer(number(-2)),
            Multi((Delete("/a"), Failed(-2))),
        ),
    ],
)
def test_every_kind_of_transaction_is_decoded(type: int, body: bytes, operation: Operation) -> None:
    assert transaction(type, body).operation == operation
    is_oldest = type == CREATE and body == A_CREATE + b"\0"
    if not is_oldest:  # Digests came later than the number of the parent's children.
        found = transaction(type, body + DIGEST)
        assert (found.operation, found.digest) == (operation, (2, -5))


@pytest.mark.parametrize(
    ("type", "body", "message"),
    [
        pytest.param(99, b"", "unknown type 99", id="unknown"),
        pytest.param(DELETE, b"\0\0", "should follow", id="cut"),
        pytest.param(DELETE, number(-7), "length of -7", id="negative-length"),
        pytest.param(DELETE, buffer(b"\xff"), "no text", id="no-text"),
        pytest.param(MULTI, number(1) + number(99) + buffer(b""), "unknown type", id="in-a-multi"),
    ],
)
def test_what_cannot_be_decoded_is_refused(type: int, body: bytes, message: str) -> None:
    with pytest.raises(Damaged, match=message):
        transaction(type, body)


def empty() -> DataTree:
    return DataTree([("", Node(b"", OPEN, Stat(0, 0, 0, 0, 0, 0, 0, 0, 0)))])


def after(*operations: Operation, session: int = SESSION) -> DataTree:
    tree = empty()
    for zxid, operation in enumerate(operations, start=1):
        tree.apply(Transaction(session, zxid, 100 + zxid, operation, None))
    return tree


def create(path: str, data: bytes = b"", cversion: int = -1, owner: int = 0) -> Create:
    return Create(path, data, OPEN, owner, cversion, True)


def paths(tree: DataTree) -> set[str]:
    return set(tree.nodes)


def test_a_created_node_has_the_numbers_of_its_transaction() -> None:
    tree = after(create("/a", b"1", cversion=1), create("/a/b", b"2", cversion=1))
    assert tree.nodes["/a/b"] == Node(b"2", OPEN, Stat(2, 2, 102, 102, 0, 0, 0, 0, 2))
    assert tree.nodes["/a"].stat == Stat(1, 1, 101, 101, 0, 1, 0, 0, 2)
    assert tree.nodes["/"].stat == Stat(0, 0, 0, 0, 0, 1, 0, 0, 1)
    assert tree.zxid == 2


def test_data_and_acls_are_changed_with_their_versions() -> None:
    tree = after(
        create("/a"), SetData("/a", b"2", 7), SetAcl("/a", ALICE, 3), SetData("/", b"r", 1)
    )
    assert tree.nodes["/a"] == Node(b"2", ALICE, Stat(1, 2, 101, 102, 7, 0, 3, 0, 1))
    assert tree.nodes["/"].data == b"r"


def test_a_deleted_node_leaves_its_number_with_its_parent() -> None:
    tree = after(create("/a"), Delete("/a"))
    assert paths(tree) == {"/"}
    assert tree.nodes["/"].stat.pzxid == 2
    assert tree.nodes["/"].stat.cversion == 1


def test_the_nodes_of_a_session_go_with_it() -> None:
    mine = create("/mine", owner=SESSION)
    assert paths(after(mine, create("/other", owner=5), CloseSession(()))) == {"/", "/other"}
    assert paths(after(mine, CloseSession(("/mine", "/gone")))) == {"/"}


def test_containers_and_nodes_with_a_time_to_live_are_no_sessions() -> None:
    assert [is_session(owner) for owner in (0, CONTAINER_OWNER, ttl_owner(500), 5, -(1 << 62))] == [
        False,
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("multi", "found"),
    [
        pytest.param(Multi((create("/a"), Check("/a", 0), Delete("/a"))), {"/"}, id="made"),
        pytest.param(Multi((create("/a"), create("/a/b"))), {"/", "/a", "/a/b"}, id="in-order"),
        pytest.param(Multi((Failed(0), Failed(-103), create("/a"))), {"/"}, id="failed"),
    ],
)  # fmt: skip
def test_a_multi_is_made_as_a_whole_or_not_at_all(multi: Multi, found: set[str]) -> None:
    assert paths(after(multi)) == found


@pytest.mark.parametrize(
    "operation",
    [
        Delete("/none"), Delete("/none/x"), SetData("/none", b"", 1), SetAcl("/none", OPEN, 1),
        create("/none/x"), Failed(-101), CreateSession(9), Check("/none", 1),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_made_is_passed_over(operation: Operation) -> None:
    assert paths(after(operation)) == {"/"}


def test_a_node_that_is_there_already_keeps_its_data_and_takes_the_acl() -> None:
    tree = after(create("/a", b"old"), Create("/a", b"new", ALICE, 0, 9, True))
    assert tree.nodes["/a"] == Node(b"old", ALICE, Stat(1, 1, 101, 101, 0, 0, 0, 0, 1))
    assert tree.nodes["/"].stat[5::3] == (9, 2)  # cversion, pzxid: raised all the same
    later_kind = after(create("/a"), Create("/a", b"", OPEN, 0, 9, False))
    assert later_kind.nodes["/"].stat[5::3] == (1, 1)


@pytest.mark.parametrize("operation", [Delete("/b"), create("/b", cversion=3)], ids=str)
def test_the_numbers_of_a_parent_never_go_back(operation: Operation) -> None:
    later = Stat(0, 0, 0, 0, 0, 7, 0, 0, 9)  # The snapshot holds what came after the transaction.
    tree = DataTree([("", Node(b"", OPEN, later))])
    tree.apply(Transaction(SESSION, 5, 100, operation, None))
    assert tree.nodes["/"].stat == later


def test_the_tree_of_a_snapshot_has_its_nodes_and_digest() -> None:
    content = snapshot_of(node(""), node("/a", b"x", acl=4), acl_cache={4: ALICE})
    tree = tree_of(Snapshot(io.BytesIO(content)))
    assert tree.nodes["/a"].acl == ALICE
    assert tree.digest == tree_of(Snapshot(io.BytesIO(content))).digest != 0
    before = tree.digest
    tree.apply(Transaction(1, 2, 3, create("/b"), None))
    tree.apply(Transaction(1, 3, 3, Delete("/b"), None))
    assert tree.digest != before, "the root's own numbers have changed"


NAMES = ("/a", "/b", "/a/x", "/a/y", "/b/x")


@st.composite
def histories(draw: st.DrawFn) -> Sequence[Transaction]:
    """What a leader logs: each operation fits the tree before it."""
    choose = random.Random(draw(st.integers(0, 1 << 32)))
    tree, made = empty(), list[Transaction]()
    for zxid in range(1, draw(st.integers(1, 40)) + 1):
        operation = _fitting(tree, choose, zxid)
        made.append(Transaction(SESSION, zxid, zxid, operation, None))
        tree.apply(made[-1])
    return made


def _fitting(tree: DataTree, choose: random.Random, zxid: int) -> Operation:
    path = choose.choice(NAMES)
    parent = path.rpartition("/")[0] or "/"
    there, above = tree.nodes.get(path), tree.nodes.get(parent)
    if there is None and above is not None and not above.stat.owner:
        return create(path, b"%d" % zxid, above.stat.cversion + 1, choose.choice((0, 0, SESSION)))
    if there is None:
        mine = tuple(each for each, node in tree.nodes.items() if node.stat.owner)
        return choose.choice((Failed(-101), CloseSession(mine)))
    if choose.random() < 0.3 and not any(each.startswith(f"{path}/") for each in tree.nodes):
        return Delete(path)
    if choose.random() < 0.2:
        return SetAcl(path, choose.choice((OPEN, ALICE)), there.stat.aversion + 1)
    return SetData(path, b"%d" % zxid, there.stat.version + 1)


def replayed(tree: DataTree, history: Sequence[Transaction]) -> DataTree:
    for each in history:
        tree.apply(each)
    return tree


@given(history=histories(), cut=st.integers(0, 40))
def test_the_log_behind_a_snapshot_at_rest_gives_the_same_tree(
    history: Sequence[Transaction], cut: int
) -> None:
    whole = replayed(empty(), history)
    at_rest = DataTree(_stored(replayed(empty(), history[:cut])))
    assert replayed(at_rest, history[cut:]).nodes == whole.nodes
    assert at_rest.digest == whole.digest


@given(history=histories(), starts=st.integers(0, 40), seed=st.integers(0, 1 << 32))
def test_the_log_makes_a_fuzzy_snapshot_the_state_that_was(
    history: Sequence[Transaction], starts: int, seed: int
) -> None:
    choose = random.Random(seed)
    fuzzy, at = _fuzzy(history, min(starts, len(history)), choose)
    whole = replayed(empty(), history)
    found = replayed(fuzzy, history[min(starts, len(history)) :])
    assert found.nodes == whole.nodes, at
    assert found.digest == whole.digest


def _stored(tree: DataTree) -> list[tuple[str, Node]]:
    return [("" if path == "/" else path, node) for path, node in tree.nodes.items()]


def _fuzzy(
    history: Sequence[Transaction], starts: int, choose: random.Random
) -> tuple[DataTree, int]:
    """Return a tree whose nodes were written one by one, from the root down, as time went on.

    The children of a node are those it had when it was written itself, as the server does it.
    """
    at, written = starts, list[tuple[str, Node]]()

    def write(path: str) -> None:
        nonlocal at
        at = min(len(history), at + choose.choice((0, 0, 0, 1, 2, 5)))
        nodes = replayed(empty(), history[:at]).nodes
        if (found := nodes.get(path or "/")) is None:
            return
        written.append((path, found))
        for child in (each for each in nodes if each != "/" and each.rpartition("/")[0] == path):
            write(child)

    write("")
    return DataTree(written), at
