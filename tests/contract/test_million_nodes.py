"""A million nodes backed up under write load and restored elsewhere: not one of them is different.

What the restored server wrote down itself, when it had loaded the backup, is read as a stream and
each node compared with what is known of it; nothing here ever holds them all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from kazoo.client import KazooClient

from functions.backups.choosing import snapshots_in
from functions.persistence.data_tree import Node
from functions.persistence.jute import text_of
from functions.persistence.snapshot import Snapshot
from functions.persistence.stat import stat_of
from functions.persistence.txn import Create, Transaction
from tests.contract.data_set import (
    SeenNode,
    as_clients_see,
    seen_node,
    session,
    write_kinds,
    written_all_the_time,
)
from tests.contract.ensemble import PORT, fresh_hosts, line
from tests.contract.journal import Journal, journaled, replayed
from tests.contract.million import FOLDER, NODES, ROOT, Million, number_of, path_of
from tests.contract.processes import until
from tests.contract.restorable import RestorableEnsemble
from tests.contract.store_servers import RealSide, s3_server

pytestmark = [pytest.mark.contract, pytest.mark.soak]

# So that the servers write snapshots of all of them while they are written to.
SETTINGS = {"extendedTypesEnabled": "true", "snapCount": "1500"}
HEAP = "1200m"
START_SECONDS = 180.0
# The nodes, their paths and data are more than 200 MB; a copier or a proof that held them took
# over a gigabyte.
MOST_MEMORY = 250 << 20
# Servers change these on their own, without a transaction.
OWN = {"/zookeeper/config", "/zookeeper/quota/load/zookeeper_stats"}
SAMPLE = 2000


@pytest.fixture
def ensembles(tmp_path: Path) -> Iterator[tuple[RestorableEnsemble, RestorableEnsemble]]:
    """The source of three servers, and the target of one; a real store between them."""
    with s3_server(tmp_path / "store") as server:
        store = RealSide(server).store(CREATE_BUCKET="true")
        made = []
        for name, servers in (("source", 3), ("target", 1)):
            lines = [line(id, host) for id, host in enumerate(fresh_hosts(servers), start=1)]
            made.append(
                RestorableEnsemble(
                    tmp_path / name, lines, settings=SETTINGS, heap=HEAP, store=store
                )
            )
        try:
            yield made[0], made[1]
        finally:
            for ensemble in made:
                ensemble.stop(*list(ensemble.running))


def test_none_of_a_million_nodes_is_different_after_a_restore_elsewhere(
    ensembles: tuple[RestorableEnsemble, RestorableEnsemble],
) -> None:
    source, target = ensembles
    million = Million()
    zxid, root, journals = _backed_up_under_load(source, million)
    source.stop(*source.ids)
    _restore(target)
    with session(target.hosts) as client:
        _compare_sample(client, million)
    target.stop(*target.ids)

    others = _compare_all(_folder(target), million)
    assert as_clients_see(others.pop(ROOT), NODES // FOLDER) == root
    for folder in range(NODES // FOLDER):
        assert others.pop(f"{ROOT}/{folder}") == million.folder(folder)
    for journal in journals:
        found = {p: n.data or b"" for p, n in others.items() if p.startswith(f"{journal.root}/")}
        assert len(found) > 10
        assert found == journal.state(zxid)
    expected = replayed(_folder(source), zxid, _is_beside).nodes
    assert _without_own(others) == _without_own(expected)


def _backed_up_under_load(
    source: RestorableEnsemble, million: Million
) -> tuple[int, SeenNode, list[Journal]]:
    """Return the backup's last transaction, the node above all, and what writers were told."""
    source.start(*source.ids)
    until(lambda: source.serves(PORT), "all serve")
    with session(source.hosts) as client:
        million.write(client)
        write_kinds(client)
        root = seen_node(client, ROOT)
    with written_all_the_time(source.hosts) as made, journaled(source.hosts) as journals:
        until(lambda: _newest(source) > million.last, "a snapshot of all of them", START_SECONDS)
        _make(made, 500)
        _forget_peak()
        before = _peak()
        backup = source.back_up(_beside(source))
        assert _peak() - before < MOST_MEMORY
        _make(made, 500)
    assert backup.manifest.snapshot_zxid
    return backup.manifest.zxid, root, journals


def _newest(ensemble: RestorableEnsemble) -> int:
    """Return the transaction of the newest snapshot of the server that is backed up."""
    folder = ensemble.folder / str(_beside(ensemble)) / "data" / "version-2"
    return snapshots_in(path.name for path in folder.iterdir())[0].zxid


def _beside(ensemble: RestorableEnsemble) -> int:
    """Return a server that does not lead."""
    return ensemble.leader() % 3 + 1


def _make(made: Callable[[], int], requests: int) -> None:
    before = made()
    until(lambda: made() > before + requests, f"{requests} requests made", START_SECONDS)


def _forget_peak() -> None:
    """Let the kernel count this process's peak of memory from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def _restore(target: RestorableEnsemble) -> None:
    """Bring the backup into the other ensemble, whose servers have data of their own."""
    target.start(*target.ids)
    until(lambda: target.serves(PORT), "the target serves")
    with session(target.hosts) as client:
        client.create("/own", b"")
    _forget_peak()
    before = _peak()
    target.stage()
    assert _peak() - before < MOST_MEMORY
    target.swap(partial(until, seconds=START_SECONDS))
    target.open()
    until(lambda: target.serves(PORT), "it serves again")


def _compare_sample(client: KazooClient, million: Million) -> None:
    """Ask the restored server itself for some nodes, as clients do."""
    for number in random.Random(0).sample(range(NODES), SAMPLE):
        seen = seen_node(client, path_of(number))
        assert seen == as_clients_see(million.node(number), 0), path_of(number)


def _compare_all(folder: Path, million: Million) -> dict[str, Node]:
    """Compare each of the million in the snapshot of the start; return all other nodes."""
    others: dict[str, Node] = {}
    found = bytearray(NODES)
    different: list[str] = []
    name = snapshots_in(path.name for path in folder.iterdir())[0]
    with (folder / name.text).open("rb") as file:
        snapshot = Snapshot(file, name.compression)
        for path, data, acl, stat in snapshot:
            node = Node(data, snapshot.acl(acl), stat_of(stat))
            number = number_of(text_of(path))
            if number is None:
                others[text_of(path) or "/"] = node
            else:
                found[number] += 1
                if node != million.node(number) and len(different) < SAMPLE:
                    different.append(text_of(path))
    assert different == []
    assert found == bytes([1]) * NODES
    return others


def _folder(ensemble: RestorableEnsemble) -> Path:
    return ensemble.folder / "1" / "data" / "version-2"


def _is_beside(transaction: Transaction) -> bool:
    """Say whether a transaction makes what is looked at by itself: without the node above all,
    the nodes below are not made either."""
    operation = transaction.operation
    return not (isinstance(operation, Create) and operation.path == ROOT)


def _without_own(nodes: Mapping[str, Node]) -> dict[str, Node]:
    return {path: node for path, node in nodes.items() if path not in OWN}
