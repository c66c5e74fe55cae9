"""The readers of ZooKeeper's files, on what real servers wrote while they were under load."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from functions.persistence.complete_set import ReadLog, ReadSnapshot, complete_set
from functions.persistence.damage import Damaged
from functions.persistence.data_tree import DataTree, tree_of
from functions.persistence.digest import DIGEST_VERSION
from functions.persistence.file_names import LOG, SNAPSHOT, FileName, parse
from functions.persistence.log_summary import summarize
from functions.persistence.snapshot import Snapshot
from functions.persistence.snapshot_summary import summarize_snapshot
from functions.persistence.txn import Failed, Transaction, decode
from functions.persistence.txn_log import TxnLog
from functions.persistence.zxid import epoch
from functions.planning.member_list import host_of, parse_member
from functions.pods.last_zxid import last_zxid
from tests.contract.data_set import (
    KEPT_ACLS,
    SeenNode,
    as_clients_see,
    seen,
    session,
    write_kinds,
    written_all_the_time,
)
from tests.contract.ensemble import PORT, RealEnsemble
from tests.contract.processes import until

pytestmark = pytest.mark.contract

# Servers change these on their own, without a transaction.
OWN = {"/zookeeper/config", "/zookeeper/quota/load/zookeeper_stats"}
# So that a few thousand requests make many snapshots, while they go on.
SETTINGS = {"extendedTypesEnabled": "true", "snapCount": "400", "preAllocSize": "512"}
REQUESTS = 1500
STOPS = 2


@pytest.mark.soak  # `make test` reads such files where it backs up under load.
@pytest.mark.parametrize(
    ("version", "compression", "acls"),
    [
        pytest.param("3.6.4", "", KEPT_ACLS, id="3.6.4"),
        pytest.param("3.7.0", "gz", KEPT_ACLS, id="3.7.0-gzip"),
        pytest.param("3.8.4", "snappy", KEPT_ACLS, id="3.8.4-snappy"),
        pytest.param("3.9.5", "", 2 * KEPT_ACLS, id="3.9.5"),
    ],
)
def test_the_files_of_a_server_hold_what_clients_saw_from_whichever_snapshot(
    ensemble_of: Callable[..., RealEnsemble], version: str, compression: str, acls: int
) -> None:
    settings = SETTINGS | {"snapshot.compression.method": compression}
    ensemble: RealEnsemble = ensemble_of(1, version=version, settings=settings)
    hosts = _addresses(ensemble)
    expected = _written_and_seen(ensemble, hosts, acls)

    files = Files(_folder(ensemble, 1))
    chosen = complete_set(files.snapshots(), files.logs())
    assert chosen.is_complete, chosen.gaps
    assert {epoch(name.zxid) for name in chosen.logs} == {2}
    whole = fuzzy = proven = 0
    for snapshot in files.snapshots():
        assert snapshot.name.compression == compression
        tree = files.tree_from(snapshot)
        assert tree.zxid == chosen.zxid
        assert _differences(tree, expected) == {}
        whole += 1
        proven += bool(snapshot.summary.is_proven)
        fuzzy += snapshot.reaches > snapshot.name.zxid
    assert whole >= len(files.names(SNAPSHOT)) - STOPS
    assert proven, "the one that the second leader began with was written at rest"
    assert fuzzy > 2, "snapshots were written while transactions went on"


@pytest.mark.soak
def test_every_server_has_a_complete_state_also_one_that_copied_the_leaders(
    ensemble_of: Callable[..., RealEnsemble],
) -> None:
    ensemble: RealEnsemble = ensemble_of(3, settings=SETTINGS)
    hosts = _addresses(ensemble)
    ensemble.start(1, 2, 3)
    with session(hosts) as client:
        write_kinds(client)
    with written_all_the_time(hosts) as made:
        until(lambda: made() > REQUESTS, "requests made")
        _lose_each_for_a_while(ensemble, made)
    with session(hosts) as client:
        expected = seen(client)
        last = client.last_zxid
        until(lambda: all(_is_at(ensemble, server, last) for server in (1, 2, 3)), "all have all")
        ensemble.stop(1, 2, 3)

    for server in (1, 2, 3):
        files = Files(_folder(ensemble, server))
        chosen = complete_set(files.snapshots(), files.logs())
        assert chosen.is_complete, (server, chosen.gaps)
        (snapshot,) = (each for each in files.snapshots() if each.name == chosen.snapshot)
        tree = files.tree_from(snapshot)
        assert _differences(tree, expected) == {}


def _lose_each_for_a_while(ensemble: RealEnsemble, made: Callable[[], int]) -> None:
    """Stop one server after another, the leader among them; the first loses its files too."""
    for server in (1, 2, 3):
        ensemble.stop(server)
        if server == 1:
            shutil.rmtree(_folder(ensemble, server))
        _see_more(made)
        ensemble.start(server)
        _see_more(made)


def _see_more(made: Callable[[], int]) -> None:
    before = made()
    until(lambda: made() > before + 300, "more requests made")


def _addresses(ensemble: RealEnsemble) -> str:
    return ",".join(f"{host_of(parse_member(line))}:{PORT}" for line in ensemble.lines)


def _folder(ensemble: RealEnsemble, server: int) -> Path:
    return ensemble.folder / str(server) / "data" / "version-2"


def _is_at(ensemble: RealEnsemble, server: int, zxid: int) -> bool:
    folder = _folder(ensemble, server)
    return (last_zxid(folder, folder) or 0) >= zxid


def _written_and_seen(ensemble: RealEnsemble, hosts: str, acls: int) -> dict[str, SeenNode]:
    """Write all kinds of data in two epochs; return what a client sees at the end."""
    ensemble.start(1)
    with session(hosts) as client:
        write_kinds(client)
        with written_all_the_time(hosts, acls) as made:
            until(lambda: made() > REQUESTS, "requests made")
    ensemble.stop(1)
    ensemble.start(1)
    with written_all_the_time(hosts, acls) as made:
        until(lambda: made() > REQUESTS, "requests made by the second leader")
    with session(hosts) as client:
        client.create("/ephemeral-to-the-end", ephemeral=True)
        found = seen(client)
        ensemble.stop(1)  # Before the session ends, which would be one more transaction.
    return found


def _differences(tree: DataTree, expected: dict[str, SeenNode]) -> dict[str, object]:
    children = Counter(path.rpartition("/")[0] or "/" for path in tree.nodes if path != "/")
    ours = {path: as_clients_see(node, children[path]) for path, node in tree.nodes.items()}
    return {
        path: (ours.get(path), expected.get(path))
        for path in (ours.keys() | expected.keys()) - OWN
        if ours.get(path) != expected.get(path)
    }


@dataclass
class Files:
    """The files of a stopped server."""

    folder: Path

    def snapshots(self) -> Iterator[ReadSnapshot]:
        for name, file in self._of_kind(SNAPSHOT):
            try:
                yield ReadSnapshot(name, summarize_snapshot(Snapshot(file, name.compression)))
            except Damaged as damage:
                # A server that is stopped while it writes one leaves it as it is.
                if not re.search("cut|ended before", str(damage)):
                    raise

    def logs(self) -> Iterator[ReadLog]:
        for name, file in self._of_kind(LOG):
            yield ReadLog(name, summarize(TxnLog(file)))

    def tree_from(self, snapshot: ReadSnapshot) -> DataTree:
        """Return the tree at the end of all logs; its digest is the leader's all the way there."""
        name = snapshot.name
        with (self.folder / name.text).open("rb") as file:
            tree = tree_of(Snapshot(file, name.compression))
        for transaction in self._transactions(behind=name.zxid):
            tree.apply(transaction)
            is_refusal = transaction.digest is None and isinstance(transaction.operation, Failed)
            if transaction.zxid >= snapshot.reaches and not is_refusal:
                assert transaction.digest == (DIGEST_VERSION, tree.digest), transaction
        return tree

    def _transactions(self, behind: int) -> Iterator[Transaction]:
        for _, file in self._of_kind(LOG):
            log = TxnLog(file, keep=True)
            for record in log:
                if record.zxid > behind:
                    assert log.payload is not None
                    yield decode(record, log.payload)

    def names(self, kind: str) -> list[FileName]:
        named = [parse(path.name) for path in self.folder.iterdir()]
        of_kind = [name for name in named if name is not None and name.kind == kind]
        return sorted(of_kind, key=lambda name: name.zxid)

    def _of_kind(self, kind: str) -> Iterator[tuple[FileName, BinaryIO]]:
        for name in self.names(kind):
            with (self.folder / name.text).open("rb") as file:
                yield name, file
